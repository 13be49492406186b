/* Blocks by plain rounding, for numbers that are random anyway: many times faster than the search
 * for the best scale in base/blocks.h, with the same layout. */
#ifndef MDF_CONVERT_BLOCKS_PLAIN_H
#define MDF_CONVERT_BLOCKS_PLAIN_H

#include "base/dtype.h"

/* n numbers, a multiple of 32, as Q8_0 or Q4_0; false: another type, or a number that is not
 * finite.
 */
bool mdf_blocks_plain(mdf_dtype d, const float *x, size_t n, uint8_t *out);

#endif
