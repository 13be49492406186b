/* Files of kinds that are met where a model or a data set is wanted, and that nothing here reads:
 * enough to call them by their name. */
#ifndef MDF_IO_FOREIGN_H
#define MDF_IO_FOREIGN_H

#include <stddef.h>
#include <stdint.h>

/* "a Parquet table"; NULL = none of them. */
const char *mdf_foreign_kind(const uint8_t *bytes, size_t len);

#endif
