/* Half precision as it lies in files: IEEE 754 binary16 (F16) and the upper half of a float
 * (BF16). */
#ifndef MDF_IO_HALF_H
#define MDF_IO_HALF_H

#include <stdint.h>

/* Exact for every value; infinities, signed zeros and the bits of a NaN are kept. */
float mdf_float_of_f16(uint16_t h);
float mdf_float_of_bf16(uint16_t h);

/* Rounds to nearest, ties to even, subnormals included; what is too large becomes an infinity. A
 * NaN stays a (quiet) NaN. */
uint16_t mdf_f16_of_float(float x);
uint16_t mdf_bf16_of_float(float x);

#endif
