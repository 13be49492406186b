/* A PNG that says which program wrote it. */
#include "report/png_mark.h"

#include <string.h>

enum { PNG_HEAD = 8 + 25 }; /* signature and IHDR, as every PNG begins */

static uint32_t crc32_of(const uint8_t *data, size_t n)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < n; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
        }
    }
    return ~crc;
}

static void put_be32(uint8_t *out, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

/* A chunk that says which program drew the picture: commands may replace such a file. */
static void add_software(mdf_strbuf *out)
{
    static const char text[] = "tEXtSoftware\0mdf " MDF_VERSION;
    enum { TEXT = sizeof text - 1 };
    uint8_t chunk[4 + TEXT + 4];
    put_be32(chunk, TEXT - 4);
    memcpy(chunk + 4, text, TEXT);
    put_be32(chunk + 4 + TEXT, crc32_of(chunk + 4, TEXT));
    mdf_strbuf_add(out, chunk, sizeof chunk);
}

void mdf_png_mark(mdf_strbuf *out, const void *png, size_t len)
{
    const char *bytes = png;
    mdf_strbuf_add(out, bytes, PNG_HEAD);
    add_software(out);
    mdf_strbuf_add(out, bytes + PNG_HEAD, len - PNG_HEAD);
}
