/* Pictures for tests: an integer pattern that tools/golden_image.py draws too, and a hash. */
#ifndef MDF_TESTS_PICTURE_H
#define MDF_TESTS_PICTURE_H

#include <stddef.h>
#include <stdint.h>

/* px [h, w, c]: waves plus fixed noise. */
static inline void picture_pattern(uint8_t *px, int w, int h, int c)
{
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            for (int k = 0; k < c; k++) {
                uint32_t n =
                    (uint32_t)x * 73856093U ^ (uint32_t)y * 19349663U ^ (uint32_t)k * 83492791U;
                n = (n * 2654435761U) >> 24;
                const uint32_t wave = (uint32_t)(x * 5 + y * 3 + k * 40) & 255U;
                *px++ = (uint8_t)((n + 3 * wave) / 4);
            }
        }
    }
}

/* 64-bit FNV-1a. */
static inline uint64_t picture_hash(const void *data, size_t len)
{
    const uint8_t *b = data;
    uint64_t h = 14695981039346656037U;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ b[i]) * 1099511628211U;
    }
    return h;
}

#endif
