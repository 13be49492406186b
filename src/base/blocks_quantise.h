/* One block each: numbers -> bytes, as base/blocks.h promises. Only blocks.c uses these. false: a
 * number is too large for the block's half-precision scale. */
#ifndef MDF_BASE_BLOCKS_QUANTISE_H
#define MDF_BASE_BLOCKS_QUANTISE_H

#include "base/blocks.h"

bool mdf_quantise_q8_0(const float *x, uint8_t *p) MDF_NODISCARD;
bool mdf_quantise_q4_0(const float *x, uint8_t *p) MDF_NODISCARD;
bool mdf_quantise_q4_1(const float *x, uint8_t *p) MDF_NODISCARD;
bool mdf_quantise_q5_0(const float *x, uint8_t *p) MDF_NODISCARD;
bool mdf_quantise_q5_1(const float *x, uint8_t *p) MDF_NODISCARD;
bool mdf_quantise_q4_k(const float *x, uint8_t *p) MDF_NODISCARD;
bool mdf_quantise_q5_k(const float *x, uint8_t *p) MDF_NODISCARD;
bool mdf_quantise_q6_k(const float *x, uint8_t *p) MDF_NODISCARD;

#endif
