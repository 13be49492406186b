/* The shells of torch's files: where the pickle is, and where the numbers are that it speaks of
 * (torch/serialization.py of torch 1.0 to 2.x). */
#include "io/torch_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "io/torch_parts.h"
#include "io/zip.h"

enum { OUTER_ITEMS = 5, OLD_OUTER_ITEMS = 6, OLD_VERSION = 1001, MAX_ENTRY_NAME = 2 << 20 };

/* 0x1950a86a20f9469cfc6c, the number that old files begin with. */
static const char old_magic[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

static mdf_status fail(const mdf_torch_reader *r, const char *what)
{
    return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: %s", r->st->path, what);
}

static mdf_status fail_storage(const mdf_torch_reader *r, const mdf_torch_storage *s,
                               const char *what)
{
    return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: storage \"%.*s\" %s", r->st->path,
                    (int)(s->key_bytes < 120 ? s->key_bytes : 120), s->key, what);
}

static mdf_status no_memory(const mdf_torch_reader *r)
{
    return mdf_fail(r->err, MDF_ERR_NOMEM, "%s: out of memory", r->st->path);
}

/* --- storages --- */

/* ("storage", class, key, device, count[, part of another one]) */
static mdf_status read_storage(const mdf_torch_reader *r, const mdf_pickle_items *x,
                               mdf_torch_storage *s)
{
    const mdf_pickle_value *v = x->item;
    if ((x->count != OUTER_ITEMS && x->count != OLD_OUTER_ITEMS) ||
        !mdf_pickle_is(&v[0], "storage") || v[1].kind != MDF_PICKLE_ITEM ||
        v[2].kind != MDF_PICKLE_TEXT || v[4].kind != MDF_PICKLE_WHOLE || v[4].u.whole < 0) {
        return fail(r, "the pickle describes numbers in a way that torch.save does not");
    }
    *s = (mdf_torch_storage){.key = v[2].u.text, .key_bytes = v[2].len};
    s->type = (int)(v[1].u.global - mdf_torch_globals);
    if (s->type >= MDF_TORCH_STORAGES) {
        return fail_storage(r, s, "has a class that is no storage");
    }
    if (x->count == OLD_OUTER_ITEMS && v[5].kind != MDF_PICKLE_NONE) {
        return fail_storage(r, s, "is a part of another one: load and save it with a newer torch");
    }
    if ((uint64_t)v[4].u.whole > r->len / mdf_torch_width(s->type)) {
        return fail_storage(r, s, "is larger than the file: cut off?");
    }
    s->count = (size_t)v[4].u.whole;
    s->bytes = s->count * mdf_torch_width(s->type);
    return MDF_OK;
}

/* The table of all that the pickle speaks of, each once. */
static mdf_status list_storages(mdf_torch_reader *r, const mdf_pickle *p)
{
    size_t n = 0;
    for (const mdf_pickle_items *x = p->outer; x != NULL; x = x->next) {
        n++;
    }
    r->storage = mdf_arena_alloc(&r->st->arena, n + 1, sizeof *r->storage);
    if (r->storage == NULL) {
        return no_memory(r);
    }
    n = 0;
    for (const mdf_pickle_items *x = p->outer; x != NULL; x = x->next) {
        MDF_TRY(read_storage(r, x, &r->storage[n++]));
    }
    qsort(r->storage, n, sizeof *r->storage, mdf_torch_by_key);
    for (size_t i = 0; i < n; i++) {
        mdf_torch_storage *last = r->storages > 0 ? &r->storage[r->storages - 1] : NULL;
        if (last == NULL || mdf_torch_by_key(last, &r->storage[i]) != 0) {
            r->storage[r->storages++] = r->storage[i];
        } else if (last->type != r->storage[i].type || last->count != r->storage[i].count) {
            return fail_storage(r, last, "is described in two ways");
        }
    }
    return MDF_OK;
}

static mdf_status parse_pickle(const mdf_torch_reader *r, const uint8_t *bytes, size_t len,
                               mdf_pickle *p)
{
    return mdf_pickle_parse(p, bytes, len, mdf_torch_globals, MDF_TORCH_GLOBALS, r->st->path,
                            r->err);
}

/* --- the zip archive --- */

/* *out: "<archive>/<folder><name>", where archive is what the first entry's name begins with; NULL:
 * not there. */
static mdf_status find_entry(const mdf_torch_reader *r, const mdf_zip *z, const char *folder,
                             const char *name, size_t name_bytes, const mdf_zip_entry **out)
{
    const char *slash = z->first == NULL ? NULL : strchr(z->first, '/');
    mdf_strbuf path = mdf_strbuf_new(MAX_ENTRY_NAME);
    if (slash != NULL) {
        mdf_strbuf_add(&path, z->first, (size_t)(slash - z->first) + 1);
    }
    mdf_strbuf_puts(&path, folder);
    mdf_strbuf_add(&path, name, name_bytes);
    const mdf_status status = path.failed ? no_memory(r) : MDF_OK;
    *out = path.failed ? NULL : mdf_zip_find(z, path.data);
    mdf_strbuf_free(&path);
    return status;
}

static mdf_status find_record(const mdf_torch_reader *r, const mdf_zip *z, const char *name,
                              const mdf_zip_entry **out)
{
    return find_entry(r, z, "", name, strlen(name), out);
}

static mdf_status place_in_zip(const mdf_torch_reader *r, const mdf_zip *z, mdf_torch_storage *s)
{
    const mdf_zip_entry *e = NULL;
    MDF_TRY(find_entry(r, z, "data/", s->key, s->key_bytes, &e));
    if (e == NULL) {
        return fail_storage(r, s, "is missing in the archive");
    }
    MDF_TRY(mdf_zip_check_stored(e, r->st->path, r->err));
    if (e->bytes != s->bytes) {
        return fail_storage(r, s, "has another size in the archive than the pickle says");
    }
    s->data = e->data;
    return MDF_OK;
}

/* *pickle: the archive's pickle, if it is one of torch.save and of a machine like this. */
static mdf_status find_pickle(const mdf_torch_reader *r, const mdf_zip *z,
                              const mdf_zip_entry **pickle)
{
    const mdf_zip_entry *script = NULL;
    const mdf_zip_entry *order = NULL;
    MDF_TRY(find_record(r, z, "constants.pkl", &script));
    MDF_TRY(find_record(r, z, "data.pkl", pickle));
    MDF_TRY(find_record(r, z, "byteorder", &order));
    if (script != NULL) {
        return fail(r, "a TorchScript program, not a dictionary of tensors: save its state_dict()");
    }
    if (*pickle == NULL) {
        return fail(r, "a zip archive, but not of torch.save: it has no data.pkl");
    }
    MDF_TRY(mdf_zip_check_stored(*pickle, r->st->path, r->err));
    if (order != NULL && (order->bytes != 6 || memcmp(order->data, "little", 6) != 0)) {
        return fail(r, "its byte order is not \"little\": saved on a big-endian machine");
    }
    return MDF_OK;
}

static mdf_status read_zip(mdf_torch_reader *r, const mdf_zip *z, mdf_pickle *p)
{
    const mdf_zip_entry *pickle = NULL;
    MDF_TRY(find_pickle(r, z, &pickle));
    MDF_TRY(parse_pickle(r, pickle->data, pickle->bytes, p));
    if (p->used != pickle->bytes) {
        return fail(r, "bytes follow the pickle in data.pkl");
    }
    MDF_TRY(list_storages(r, p));
    for (size_t i = 0; i < r->storages; i++) {
        MDF_TRY(place_in_zip(r, z, &r->storage[i]));
    }
    return mdf_torch_tensors(r, &p->value);
}

static mdf_status parse_zip(mdf_torch_reader *r)
{
    mdf_zip z;
    mdf_pickle p = {0};
    MDF_TRY(mdf_zip_parse(&z, r->bytes, r->len, r->st->path, r->err));
    const mdf_status status = read_zip(r, &z, &p);
    mdf_pickle_free(&p);
    mdf_zip_close(&z);
    return status;
}

/* --- the row of pickles: magic number, version, machine, object, keys; then the numbers --- */

static mdf_status check_magic(const mdf_torch_reader *r, const mdf_pickle_value *v)
{
    const bool same = v->kind == MDF_PICKLE_LONG && v->len == sizeof old_magic - 1 &&
                      memcmp(v->u.text, old_magic, v->len) == 0;
    return same ? MDF_OK : fail(r, "a pickle, but not of torch.save");
}

static mdf_status check_version(const mdf_torch_reader *r, const mdf_pickle_value *v)
{
    const bool same = v->kind == MDF_PICKLE_WHOLE && v->u.whole == OLD_VERSION;
    return same ? MDF_OK : fail(r, "a torch file of an unknown version");
}

static mdf_status check_machine(const mdf_torch_reader *r, const mdf_pickle_value *v)
{
    const mdf_pickle_value *little = mdf_pickle_at(v, "little_endian");
    return little == NULL || little->kind != MDF_PICKLE_BOOL || little->u.whole != 1
               ? fail(r, "its byte order is not \"little\": saved on a big-endian machine")
               : MDF_OK;
}

/* The three small pickles at the beginning. */
static mdf_status read_preface(const mdf_torch_reader *r, size_t *at)
{
    static mdf_status (*const check[])(const mdf_torch_reader *, const mdf_pickle_value *) = {
        check_magic, check_version, check_machine};
    for (size_t i = 0; i < sizeof check / sizeof check[0]; i++) {
        mdf_pickle p;
        MDF_TRY(parse_pickle(r, r->bytes + *at, r->len - *at, &p));
        const mdf_status status = check[i](r, &p.value);
        *at += p.used;
        mdf_pickle_free(&p);
        MDF_TRY(status);
    }
    return MDF_OK;
}

/* A storage's numbers at *at: how many, then themselves. */
static mdf_status place_in_row(const mdf_torch_reader *r, const mdf_pickle_value *key, size_t *at)
{
    enum { COUNT_BYTES = 8 };
    mdf_torch_storage *s =
        key->kind == MDF_PICKLE_TEXT ? mdf_torch_find(r, key->u.text, key->len) : NULL;
    if (s == NULL) {
        return fail(r, "its list of storages names one that no tensor has");
    }
    if (s->data != NULL) {
        return fail_storage(r, s, "is there twice");
    }
    if (r->len - *at < COUNT_BYTES || s->bytes > r->len - *at - COUNT_BYTES) {
        return fail_storage(r, s, "runs past the end of the file: cut off?");
    }
    const uint8_t *p = r->bytes + *at;
    for (size_t i = 0; i < COUNT_BYTES; i++) {
        if (p[i] != (uint8_t)((uint64_t)s->count >> (8 * i))) {
            return fail_storage(r, s, "has another size than the pickle says");
        }
    }
    s->data = p + COUNT_BYTES;
    *at += COUNT_BYTES + s->bytes;
    return MDF_OK;
}

static mdf_status place_all(const mdf_torch_reader *r, const mdf_pickle_value *keys, size_t at)
{
    if (keys->kind != MDF_PICKLE_LIST) {
        return fail(r, "its list of storages is no list");
    }
    for (size_t i = 0; i < keys->u.items->count; i++) {
        MDF_TRY(place_in_row(r, &keys->u.items->item[i], &at));
    }
    for (size_t i = 0; i < r->storages; i++) {
        if (r->storage[i].data == NULL) {
            return fail_storage(r, &r->storage[i], "is missing in the file");
        }
    }
    if (at != r->len) {
        return mdf_fail(r->err, MDF_ERR_FORMAT, "%s: %zu bytes at the end belong to no tensor",
                        r->st->path, r->len - at);
    }
    return MDF_OK;
}

static mdf_status read_row(mdf_torch_reader *r, size_t at, const mdf_pickle *object,
                           mdf_pickle *keys)
{
    MDF_TRY(list_storages(r, object));
    MDF_TRY(parse_pickle(r, r->bytes + at, r->len - at, keys));
    MDF_TRY(place_all(r, &keys->value, at + keys->used));
    return mdf_torch_tensors(r, &object->value);
}

static mdf_status parse_row(mdf_torch_reader *r)
{
    size_t at = 0;
    mdf_pickle object;
    mdf_pickle keys = {0};
    MDF_TRY(read_preface(r, &at));
    MDF_TRY(parse_pickle(r, r->bytes + at, r->len - at, &object));
    const mdf_status status = read_row(r, at + object.used, &object, &keys);
    mdf_pickle_free(&keys);
    mdf_pickle_free(&object);
    return status;
}

/* --- both --- */

static bool is_zip(const uint8_t *bytes, size_t len)
{
    return len >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0);
}

bool mdf_torch_looks(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    return is_zip(p, len) || (len >= 2 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5);
}

bool mdf_torch_is(const char *path)
{
    static const char *const ends[] = {".bin", ".pth", ".pt"};
    const size_t n = strlen(path);
    mdf_map map = {0};
    bool found = false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0] && !found; i++) {
        const size_t m = strlen(ends[i]);
        found = n >= m && strcmp(path + n - m, ends[i]) == 0;
    }
    if (!found && mdf_map_open(&map, path, NULL) == MDF_OK) {
        found = mdf_torch_looks(map.data, map.len);
        mdf_map_close(&map);
    }
    return found;
}

static mdf_status parse(mdf_torch_reader *r)
{
    if (is_zip(r->bytes, r->len)) {
        return parse_zip(r);
    }
    if (mdf_torch_looks(r->bytes, r->len)) {
        return parse_row(r);
    }
    if (r->len > 9 && r->bytes[8] == '{' && r->bytes[9] == '"') {
        return fail(r, "not a file of torch.save: its bytes are those of a safetensors file, whose "
                       "name ends in .safetensors");
    }
    return fail(r, r->len == 0 ? "the file is empty"
                               : "not a file of torch.save: it begins neither like a zip archive "
                                 "nor like a pickle");
}

mdf_status mdf_torch_parse(mdf_safetensors *st, const void *bytes, size_t len, const char *name,
                           mdf_error *err)
{
    mdf_torch_reader r = {.st = st, .bytes = bytes, .len = len, .err = err};
    *st = (mdf_safetensors){.path = name};
    mdf_status status = mdf_arena_init(&st->arena, 0, 0, err);
    if (status == MDF_OK) {
        st->path = mdf_arena_strndup(&st->arena, name, strlen(name));
        if (st->path == NULL) {
            status = mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", name);
        } else {
            status = parse(&r);
        }
        if (status != MDF_OK) {
            mdf_arena_free(&st->arena);
            *st = (mdf_safetensors){0};
        }
    }
    return status;
}

mdf_status mdf_torch_open(mdf_safetensors *st, const char *path, mdf_error *err)
{
    mdf_map map;
    *st = (mdf_safetensors){0};
    MDF_TRY(mdf_map_open(&map, path, err));
    const mdf_status status = mdf_torch_parse(st, map.data, map.len, path, err);
    if (status == MDF_OK) {
        st->map = map;
    } else {
        mdf_map_close(&map);
    }
    return status;
}
