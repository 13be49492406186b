/* Errors as values: a code, a place and a sentence. */
#ifndef MDF_BASE_STATUS_H
#define MDF_BASE_STATUS_H

#include "mdf.h"

/* Fills *err (NULL is allowed) with a formatted sentence and returns code:
 *     return mdf_fail(err, MDF_ERR_FORMAT, "%s: header runs past the end of the file", path); */
mdf_status mdf_fail(mdf_error *err, mdf_status code, const char *fmt, ...) MDF_PRINTF(3, 4);

/* Same, and records the byte of the input at which a parser stopped. */
mdf_status mdf_fail_at(mdf_error *err, mdf_status code, size_t offset, const char *fmt, ...)
    MDF_PRINTF(4, 5);

/* Puts "prefix: " before the sentence that is already in *err; returns err's code (or code if
 * err is NULL). For callers that know the file name when the parser does not. */
mdf_status mdf_fail_prefix(mdf_error *err, mdf_status code, const char *prefix);

/* Forwards a failure to the caller. The only control-flow macro of the project. */
#define MDF_TRY(expr)                                                                              \
    do {                                                                                           \
        const mdf_status mdf_try_status = (expr);                                                  \
        if (mdf_try_status != MDF_OK) {                                                            \
            return mdf_try_status;                                                                 \
        }                                                                                          \
    } while (0)

#endif
