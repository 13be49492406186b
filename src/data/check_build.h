/* How the parts of the data check fill its result. Internal to src/data/check*. */
#ifndef MDF_DATA_CHECK_BUILD_H
#define MDF_DATA_CHECK_BUILD_H

#include "data/check.h"

/* Copies the reason; borrows the path. */
mdf_status mdf_check_list_add(mdf_check_list *l, size_t number, const char *path,
                              const char *reason, mdf_error *err) MDF_NODISCARD;
void mdf_check_list_free(mdf_check_list *l);

/* Opens the masks of a case. width, height: of its picture; 0 when that could not be read. */
mdf_status mdf_check_masks(mdf_check *c, size_t number, int width, int height,
                           mdf_error *err) MDF_NODISCARD;

#endif
