/* The zip reader: from the end record to the central directory to the entries, each compared with
 * the bytes that are there (APPNOTE.TXT 6.3, sections 4.3 and 4.5.3). */
#include "io/zip.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum {
    END_BYTES = 22, /* the end record without its comment */
    MAX_COMMENT = 65535,
    LOCATOR_BYTES = 20, /* where zip64's end record is */
    END64_BYTES = 56,
    CENTRAL_BYTES = 46, /* an entry of the directory without name, extra fields, comment */
    LOCAL_BYTES = 30,   /* an entry's own header without name and extra fields */
    EXTRA64 = 1,        /* the extra field with sizes of 64 bits */
    ENCRYPTED = 1       /* flag */
};

static const uint32_t local_mark = 0x04034b50;
static const uint32_t central_mark = 0x02014b50;
static const uint32_t end_mark = 0x06054b50;
static const uint32_t locator_mark = 0x07064b50;
static const uint32_t end64_mark = 0x06064b50;

typedef struct reader {
    mdf_zip *z;
    const uint8_t *bytes;
    size_t len;
    const char *path;
    mdf_error *err;
} reader;

/* What the end record says, widened by zip64's. */
typedef struct directory {
    uint64_t begin, bytes, entries;
    size_t end; /* where the end records begin */
} directory;

/* An entry with the bytes of its header, for the proof that none overlap. */
typedef struct place {
    size_t begin, end;
    const char *name;
} place;

static uint64_t little(const uint8_t *p, size_t bytes)
{
    uint64_t x = 0;
    for (size_t i = bytes; i > 0; i--) {
        x = x << 8 | p[i - 1];
    }
    return x;
}

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)little(p, 4);
}

static size_t u16(const uint8_t *p)
{
    return (size_t)little(p, 2);
}

static mdf_status fail(const reader *r, const char *what)
{
    return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: %s", r->path, what);
}

static mdf_status fail_entry(const reader *r, const char *name, const char *what)
{
    return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: entry \"%.120s\" %s", r->path, name, what);
}

static mdf_status no_memory(const reader *r)
{
    return mdf_fail(r->err, MDF_ERR_NOMEM, "%s: out of memory", r->path);
}

/* --- the end records --- */

/* The last record whose comment ends with the file. */
static bool find_end(const reader *r, size_t *at)
{
    for (size_t back = END_BYTES; back <= r->len && back <= END_BYTES + MAX_COMMENT; back++) {
        const uint8_t *p = r->bytes + (r->len - back);
        if (u32(p) == end_mark && u16(p + 20) == back - END_BYTES) {
            *at = r->len - back;
            return true;
        }
    }
    return false;
}

/* A number of the end record is all ones, or says what zip64's says. */
static bool same(uint64_t narrow, uint64_t wide, uint64_t ones)
{
    return narrow == ones || narrow == wide;
}

/* zip64's end record, if its locator stands before the end record at `at`. */
static mdf_status read_end64(const reader *r, size_t at, directory *d)
{
    if (at < LOCATOR_BYTES || u32(r->bytes + at - LOCATOR_BYTES) != locator_mark) {
        return MDF_OK;
    }
    const uint8_t *locator = r->bytes + at - LOCATOR_BYTES;
    const uint64_t place64 = little(locator + 8, 8);
    if (u32(locator + 4) != 0 || u32(locator + 16) != 1) {
        return fail(r, "a zip archive in several parts is not supported");
    }
    if (at < LOCATOR_BYTES + END64_BYTES || place64 > at - LOCATOR_BYTES - END64_BYTES ||
        u32(r->bytes + place64) != end64_mark) {
        return fail(r, "the zip archive's 64-bit end record is not where it should be");
    }
    const uint8_t *p = r->bytes + place64;
    if (u32(p + 16) != 0 || u32(p + 20) != 0) {
        return fail(r, "a zip archive in several parts is not supported");
    }
    const directory wide = {little(p + 48, 8), little(p + 40, 8), little(p + 32, 8),
                            (size_t)place64};
    if (little(p + 24, 8) != wide.entries || !same(d->begin, wide.begin, UINT32_MAX) ||
        !same(d->bytes, wide.bytes, UINT32_MAX) || !same(d->entries, wide.entries, 0xffff)) {
        return fail(r, "the zip archive's end records contradict each other");
    }
    *d = wide;
    return MDF_OK;
}

static mdf_status find_directory(const reader *r, directory *d)
{
    size_t at = 0;
    if (!find_end(r, &at)) {
        return fail(r, "a zip archive whose end is missing: cut off?");
    }
    const uint8_t *p = r->bytes + at;
    const size_t disk = u16(p + 4);
    if ((disk != 0 && disk != 0xffff) || u16(p + 6) != disk || u16(p + 8) != u16(p + 10)) {
        return fail(r, "a zip archive in several parts is not supported");
    }
    *d = (directory){u32(p + 16), u32(p + 12), u16(p + 10), at};
    MDF_TRY(read_end64(r, at, d));
    if (d->begin > d->end || d->bytes > d->end - d->begin) {
        return fail(r, "the zip archive's directory is not inside the file: cut off?");
    }
    if (d->entries > d->bytes / CENTRAL_BYTES) {
        return fail(r, "the zip archive names more entries than its directory can hold");
    }
    if (d->entries > MDF_MAX_ZIP_ENTRIES) {
        return mdf_fail(r->err, MDF_ERR_LIMIT, "%s: %llu entries, more than the limit of %d",
                        r->path, (unsigned long long)d->entries, MDF_MAX_ZIP_ENTRIES);
    }
    return MDF_OK;
}

/* --- entries --- */

/* An entry as the directory describes it. */
typedef struct central {
    const char *name;
    size_t name_bytes, method;
    uint64_t packed, bytes, begin; /* sizes in the archive and outside; its header's place */
} central;

/* Numbers that are all ones stand in the extra field instead, in this order. */
static mdf_status read_extra(const reader *r, central *c, const uint8_t *p, size_t n)
{
    uint64_t *const wide[] = {&c->bytes, &c->packed, &c->begin};
    size_t next = 0;
    while (n >= 4) {
        const size_t size = u16(p + 2);
        if (size > n - 4) {
            break;
        }
        const uint8_t *field = p + 4;
        for (size_t at = 0; u16(p) == EXTRA64 && next < 3; next++) {
            if (*wide[next] == UINT32_MAX) {
                if (size - at < 8) {
                    return fail_entry(r, c->name, "lacks a 64-bit size");
                }
                *wide[next] = little(field + at, 8);
                at += 8;
            }
        }
        p += 4 + size;
        n -= 4 + size;
    }
    for (; next < 3; next++) {
        if (*wide[next] == UINT32_MAX) {
            return fail_entry(r, c->name, "lacks a 64-bit size");
        }
    }
    return MDF_OK;
}

/* The directory's entry at *at, which moves behind it. */
static mdf_status read_central(const reader *r, const directory *d, size_t *at, central *c)
{
    const size_t left = (size_t)(d->begin + d->bytes) - *at;
    const uint8_t *p = r->bytes + *at;
    if (left < CENTRAL_BYTES || u32(p) != central_mark) {
        return fail(r, "the zip archive's directory is broken");
    }
    const size_t n = u16(p + 28);
    const size_t extra = u16(p + 30);
    const size_t comment = u16(p + 32);
    if (n + extra + comment > left - CENTRAL_BYTES) {
        return fail(r, "the zip archive's directory is broken");
    }
    const char *name = (const char *)p + CENTRAL_BYTES;
    if (n == 0 || memchr(name, 0, n) != NULL) {
        return fail(r, "an entry of the zip archive has no proper name");
    }
    *c = (central){.name = mdf_arena_strndup(&r->z->arena, name, n),
                   .name_bytes = n,
                   .method = u16(p + 10),
                   .packed = u32(p + 20),
                   .bytes = u32(p + 24),
                   .begin = u32(p + 42)};
    if (c->name == NULL) {
        return no_memory(r);
    }
    if ((u16(p + 8) & ENCRYPTED) != 0) {
        return fail_entry(r, c->name, "is encrypted");
    }
    *at += CENTRAL_BYTES + n + extra + comment;
    return read_extra(r, c, p + CENTRAL_BYTES + n, extra);
}

/* The entry's own header: the same name, the same method, and its bytes before the directory. */
static mdf_status read_local(const reader *r, const directory *d, const central *c, place *out)
{
    const size_t end = (size_t)d->begin;
    if (c->begin > end || end - c->begin < LOCAL_BYTES || u32(r->bytes + c->begin) != local_mark) {
        return fail_entry(r, c->name, "is not where the directory says");
    }
    const uint8_t *p = r->bytes + c->begin;
    const size_t head = LOCAL_BYTES + u16(p + 26) + u16(p + 28);
    const size_t left = end - (size_t)c->begin;
    if (head > left || c->packed > left - head) {
        return fail_entry(r, c->name, "runs past the end of the archive's data");
    }
    if (u16(p + 26) != c->name_bytes || memcmp(p + LOCAL_BYTES, c->name, c->name_bytes) != 0) {
        return fail_entry(r, c->name, "has another name in its own header");
    }
    if (u16(p + 8) != c->method || (c->method == 0 && c->packed != c->bytes)) {
        return fail_entry(r, c->name, "is described in two ways");
    }
    const size_t begin = (size_t)c->begin;
    *out = (place){begin, begin + head + (size_t)c->packed, c->name};
    r->z->entry[r->z->count++] =
        (mdf_zip_entry){c->name, p + head, (size_t)c->packed, (int)c->method};
    return MDF_OK;
}

static int by_begin(const void *a, const void *b)
{
    const place *s = a;
    const place *t = b;
    return (s->begin > t->begin) - (s->begin < t->begin);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mdf_zip_entry *)a)->name, ((const mdf_zip_entry *)b)->name);
}

static mdf_status read_entries(const reader *r, const directory *d)
{
    mdf_zip *z = r->z;
    const size_t n = (size_t)d->entries;
    size_t at = (size_t)d->begin;
    z->entry = mdf_arena_zalloc(&z->arena, n + 1, sizeof *z->entry);
    place *where = mdf_arena_alloc(&z->arena, n + 1, sizeof *where);
    if (z->entry == NULL || where == NULL) {
        return no_memory(r);
    }
    for (size_t i = 0; i < n; i++) {
        central c = {0};
        MDF_TRY(read_central(r, d, &at, &c));
        MDF_TRY(read_local(r, d, &c, &where[i]));
        z->first = i == 0 ? c.name : z->first;
    }
    qsort(where, n, sizeof *where, by_begin);
    for (size_t i = 1; i < n; i++) {
        if (where[i].begin < where[i - 1].end) {
            return fail_entry(r, where[i].name, "overlaps another one");
        }
    }
    qsort(z->entry, n, sizeof *z->entry, by_name);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(z->entry[i].name, z->entry[i - 1].name) == 0) {
            return fail_entry(r, z->entry[i].name, "is there twice");
        }
    }
    return MDF_OK;
}

mdf_status mdf_zip_parse(mdf_zip *z, const void *bytes, size_t len, const char *name,
                         mdf_error *err)
{
    const reader r = {z, bytes, len, name, err};
    directory d = {0};
    *z = (mdf_zip){0};
    MDF_TRY(find_directory(&r, &d));
    mdf_status status = mdf_arena_init(&z->arena, 0, 0, err);
    if (status == MDF_OK) {
        status = read_entries(&r, &d);
    }
    if (status != MDF_OK) {
        mdf_zip_close(z);
    }
    return status;
}

void mdf_zip_close(mdf_zip *z)
{
    mdf_arena_free(&z->arena);
    *z = (mdf_zip){0};
}

const mdf_zip_entry *mdf_zip_find(const mdf_zip *z, const char *name)
{
    const mdf_zip_entry key = {.name = name};
    return z->count == 0 ? NULL : bsearch(&key, z->entry, z->count, sizeof key, by_name);
}

mdf_status mdf_zip_check_stored(const mdf_zip_entry *e, const char *archive, mdf_error *err)
{
    return e->method == 0 ? MDF_OK
                          : mdf_fail(err, MDF_ERR_FORMAT,
                                     "%s: entry \"%.120s\" is compressed (method %d): only stored "
                                     "ones, as torch.save writes them, can be read",
                                     archive, e->name, e->method);
}
