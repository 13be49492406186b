/* zip archives in memory for tests: true ones, and such whose records lie. cmocka.h comes first. */
#ifndef MDF_TESTS_SUPPORT_ZIP_H
#define MDF_TESTS_SUPPORT_ZIP_H

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

enum { TEST_ZIP_ENTRIES = 8 };

typedef struct test_zip {
    mdf_strbuf out; /* the file */
    mdf_strbuf directory;
    size_t entries;
    size_t local[TEST_ZIP_ENTRIES];   /* where each entry's own header begins in the file */
    size_t central[TEST_ZIP_ENTRIES]; /* and its directory entry, once the file is finished */
    size_t end64, locator, end;       /* and the end records */
} test_zip;

static inline void test_zip_number(mdf_strbuf *b, uint64_t x, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++, x >>= 8) {
        const uint8_t byte = (uint8_t)x;
        mdf_strbuf_add(b, &byte, 1);
    }
}

static inline void test_zip_begin(test_zip *z)
{
    *z = (test_zip){.out = mdf_strbuf_new((size_t)1 << 24),
                    .directory = mdf_strbuf_new((size_t)1 << 20)};
}

/* A stored entry; wide: its sizes and place stand in a 64-bit extra field. */
static inline void test_zip_add(test_zip *z, const char *name, const void *data, size_t len,
                                bool wide)
{
    const size_t n = strlen(name);
    const size_t at = z->out.len;
    z->local[z->entries] = at;
    test_zip_number(&z->out, 0x04034b50, 4);
    test_zip_number(&z->out, 0, 22); /* version to sizes: the directory's count */
    test_zip_number(&z->out, n, 2);
    test_zip_number(&z->out, 0, 2);
    mdf_strbuf_puts(&z->out, name);
    mdf_strbuf_add(&z->out, data, len);
    z->central[z->entries++] = z->directory.len;
    test_zip_number(&z->directory, 0x02014b50, 4);
    test_zip_number(&z->directory, 0, 16);
    test_zip_number(&z->directory, wide ? UINT32_MAX : len, 4);
    test_zip_number(&z->directory, wide ? UINT32_MAX : len, 4);
    test_zip_number(&z->directory, n, 2);
    test_zip_number(&z->directory, wide ? 32 : 0, 2);
    test_zip_number(&z->directory, 0, 10);
    test_zip_number(&z->directory, wide ? UINT32_MAX : at, 4);
    mdf_strbuf_puts(&z->directory, name);
    if (wide) {
        test_zip_number(&z->directory, 0x7777, 2); /* a field that nobody knows */
        test_zip_number(&z->directory, 0, 2);
        test_zip_number(&z->directory, 1, 2);
        test_zip_number(&z->directory, 24, 2);
        test_zip_number(&z->directory, len, 8);
        test_zip_number(&z->directory, len, 8);
        test_zip_number(&z->directory, at, 8);
    }
}

/* Directory and end records; wide: zip64's too. */
static inline void test_zip_finish(test_zip *z, bool wide)
{
    const size_t at = z->out.len;
    for (size_t i = 0; i < z->entries; i++) {
        z->central[i] += at;
    }
    if (z->directory.len > 0) {
        mdf_strbuf_add(&z->out, z->directory.data, z->directory.len);
    }
    if (wide) {
        z->end64 = z->out.len;
        test_zip_number(&z->out, 0x06064b50, 4);
        test_zip_number(&z->out, 44, 8);
        test_zip_number(&z->out, 0, 8); /* versions, disk */
        test_zip_number(&z->out, 0, 4);
        test_zip_number(&z->out, z->entries, 8);
        test_zip_number(&z->out, z->entries, 8);
        test_zip_number(&z->out, z->directory.len, 8);
        test_zip_number(&z->out, at, 8);
        z->locator = z->out.len;
        test_zip_number(&z->out, 0x07064b50, 4);
        test_zip_number(&z->out, 0, 4);
        test_zip_number(&z->out, z->end64, 8);
        test_zip_number(&z->out, 1, 4);
    }
    z->end = z->out.len;
    test_zip_number(&z->out, 0x06054b50, 4);
    test_zip_number(&z->out, 0, 4);
    test_zip_number(&z->out, wide ? 0xffff : z->entries, 2);
    test_zip_number(&z->out, wide ? 0xffff : z->entries, 2);
    test_zip_number(&z->out, wide ? UINT32_MAX : z->directory.len, 4);
    test_zip_number(&z->out, wide ? UINT32_MAX : at, 4);
    test_zip_number(&z->out, 0, 2);
    assert_false(z->out.failed || z->directory.failed);
}

/* Overwrites a number of the file. */
static inline void test_zip_set(test_zip *z, size_t at, uint64_t x, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++, x >>= 8) {
        z->out.data[at + i] = (char)(uint8_t)x;
    }
}

static inline void test_zip_free(test_zip *z)
{
    mdf_strbuf_free(&z->out);
    mdf_strbuf_free(&z->directory);
}

#endif
