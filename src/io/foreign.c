/* Foreign files by their first bytes. */
#include "io/foreign.h"

#include <string.h>

static const struct {
    const char *magic, *kind;
} kinds[] = {
    {"PAR1", "a Parquet table"},
    {"ARROW1", "an Arrow table"},
    {"\x89HDF\r\n\x1a\n", "an HDF5 file"},
    {"PK\x03\x04", "a zip archive (PyTorch's .pt and .bin files are such)"},
    {"\x1f\x8b", "a gzip archive"},
    {"lmgg", "a GGML file, which GGUF came after"},
    {"fmgg", "a GGML file, which GGUF came after"},
    {"tjgg", "a GGML file, which GGUF came after"},
    {"algg", "a GGML adapter, which GGUF came after"},
};

const char *mdf_foreign_kind(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const size_t n = strlen(kinds[i].magic);
        if (len >= n && memcmp(bytes, kinds[i].magic, n) == 0) {
            return kinds[i].kind;
        }
    }
    return NULL;
}
