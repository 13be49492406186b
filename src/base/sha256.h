/* SHA-256 (FIPS 180-4), fed piece by piece. A value without memory of its own: it may be copied. */
#ifndef MDF_BASE_SHA256_H
#define MDF_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define MDF_SHA256_HEX 64 /* digits of a sum in hexadecimal */

typedef struct mdf_sha256 {
    uint32_t state[8];
    uint64_t bytes;    /* fed so far */
    uint8_t block[64]; /* the last bytes % 64 of them */
} mdf_sha256;

void mdf_sha256_start(mdf_sha256 *s);
void mdf_sha256_add(mdf_sha256 *s, const void *data, size_t len);

/* Lower-case digits and a NUL; s itself is not changed. */
void mdf_sha256_hex(const mdf_sha256 *s, char hex[MDF_SHA256_HEX + 1]);

#endif
