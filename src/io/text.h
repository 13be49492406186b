/* Are these bytes text? Asked of tables before they are taken apart. */
#ifndef MDF_IO_TEXT_H
#define MDF_IO_TEXT_H

#include "base/status.h"

/* MDF_OK when the bytes are UTF-8 without zero bytes. Otherwise MDF_ERR_FORMAT and a sentence that
 * begins with name and says what they seem to be: UTF-16 as spreadsheets write it, or an encoding
 * of one byte a letter, with the line of the first byte that is wrong. */
mdf_status mdf_text_check(const char *name, const uint8_t *data, size_t len,
                          mdf_error *err) MDF_NODISCARD;

/* Length of the UTF-8 byte order mark that the bytes begin with: 3 or 0. */
size_t mdf_text_mark(const uint8_t *data, size_t len);

#endif
