/* mdf_tokenize TOKENIZER_JSON [specials|plain|template|decode]: tools/check_tokenizer.py's other
 * end. Reads texts from standard input, each as a 32-bit length in the machine's order and its
 * bytes, and writes their tokens, as a 32-bit number and that many 32-bit ids; with `decode` the
 * other way round. Says how long loading and encoding took on standard error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "language/tokenizer.h"

static void *room(void *old, size_t bytes)
{
    mdf_free(old);
    void *p = mdf_alloc_raw(bytes);
    if (p == NULL) {
        abort();
    }
    return p;
}

static int fail(const mdf_error *err)
{
    (void)fprintf(stderr, "mdf_tokenize: %s\n", err->text);
    return 1;
}

int main(int argc, char **argv)
{
    mdf_error err = {0};
    mdf_tokenizer *t = NULL;
    const char *mode = argc > 2 ? argv[2] : "specials";
    const bool decode = strcmp(mode, "decode") == 0;
    const int how = strcmp(mode, "plain") == 0      ? MDF_ENCODE_PLAIN
                    : strcmp(mode, "template") == 0 ? MDF_ENCODE_TEMPLATE | MDF_ENCODE_SPECIALS
                                                    : MDF_ENCODE_SPECIALS;
    const double start = mdf_clock_seconds();
    if (argc < 2 || mdf_tokenizer_load(&t, argv[1], -1, &err) != MDF_OK) {
        return fail(&err);
    }
    const double loaded = mdf_clock_seconds();
    double seconds = 0;
    size_t bytes = 0;
    size_t tokens = 0;
    uint32_t n = 0;
    char *text = NULL;
    int32_t *id = NULL;
    while (fread(&n, sizeof n, 1, stdin) == 1) {
        const size_t size = decode ? (size_t)n * sizeof *id : n;
        const size_t most = mdf_tokenizer_most(t, n) + 8;
        text = room(text, size + 1);
        if (fread(text, 1, size, stdin) != size) {
            return 1;
        }
        if (decode) {
            mdf_strbuf out = mdf_strbuf_new(MDF_MAX_ENCODE_BYTES);
            id = room(id, size + 1);
            memcpy(id, text, size);
            if (mdf_tokenizer_decode(t, id, n, true, &out, &err) != MDF_OK) {
                return fail(&err);
            }
            const uint32_t len = (uint32_t)out.len;
            (void)fwrite(&len, sizeof len, 1, stdout);
            (void)fwrite(out.data, 1, out.len, stdout);
            mdf_strbuf_free(&out);
            continue;
        }
        id = room(id, most * sizeof *id);
        size_t count = 0;
        const double before = mdf_clock_seconds();
        if (mdf_tokenizer_encode(t, text, n, how, id, most, &count, &err) != MDF_OK) {
            return fail(&err);
        }
        seconds += mdf_clock_seconds() - before;
        bytes += n;
        tokens += count;
        const uint32_t out = (uint32_t)count;
        (void)fwrite(&out, sizeof out, 1, stdout);
        (void)fwrite(id, sizeof *id, count, stdout);
    }
    (void)fprintf(stderr, "loaded in %.3f s; %zu bytes -> %zu tokens in %.3f s\n", loaded - start,
                  bytes, tokens, seconds);
    mdf_free(text);
    mdf_free(id);
    mdf_tokenizer_free(t);
    return 0;
}
