/* Addresses and the list of files of a model hub; see hub.h. */
#include "hub/hub.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/utf8.h"

#define MAX_REPO_PART 96  /* bytes of an owner or a name, as the hubs have it */
#define MAX_COMPONENT 230 /* of a path: room for the end of a partial file's name below 255 */

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

static bool is_repo_part(const char *s, size_t n)
{
    if (n == 0 || n > MAX_REPO_PART || s[0] == '.' || s[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_unreserved(s[i]) || (s[i] == '.' && i + 1 < n && s[i + 1] == '.')) {
            return false;
        }
    }
    return true;
}

bool mdf_hub_is_name(const char *name)
{
    const size_t n = strcspn(name, "/");
    return is_repo_part(name, n) &&
           (name[n] == '\0' || is_repo_part(name + n + 1, strlen(name + n + 1)));
}

bool mdf_hub_is_revision(const char *revision)
{
    const size_t n = strlen(revision);
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)revision[i] <= ' ' || revision[i] == 0x7f) {
            return false;
        }
    }
    return n > 0 && n < MDF_HUB_REVISION_BYTES;
}

/* Percent-encodes what has a meaning in a URL; slashes stay when they part folders. */
static void add_encoded(mdf_strbuf *out, const char *text, bool keep_slashes)
{
    for (; *text != '\0'; text++) {
        if (is_unreserved(*text) || (keep_slashes && *text == '/')) {
            mdf_strbuf_add(out, text, 1);
        } else {
            mdf_strbuf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
        }
    }
}

static mdf_status check_names(const mdf_hub_repo *repo, mdf_error *err)
{
    if (!mdf_hub_is_name(repo->name)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "'%.100s' is not a repository: OWNER/NAME of letters, digits, '-', '_', "
                        "'.'",
                        repo->name);
    }
    if (!mdf_hub_is_revision(repo->revision)) {
        return mdf_fail(err, MDF_ERR_ARG, "'%.100s' is not a revision: a branch, tag or commit",
                        repo->revision);
    }
    return MDF_OK;
}

static void add_hub(mdf_strbuf *out, const char *hub)
{
    size_t n = strlen(hub);
    while (n > 0 && hub[n - 1] == '/') {
        n--;
    }
    mdf_strbuf_add(out, hub, n);
}

static mdf_status check_url(const mdf_strbuf *out, mdf_error *err)
{
    return out->failed ? mdf_fail(err, MDF_ERR_LIMIT, "the address is too long") : MDF_OK;
}

mdf_status mdf_hub_list_url(mdf_strbuf *out, const mdf_hub_repo *repo, mdf_error *err)
{
    MDF_TRY(check_names(repo, err));
    add_hub(out, repo->hub);
    mdf_strbuf_printf(out, "/api/%s/%s/tree/",
                      repo->kind == MDF_HUB_DATASET ? "datasets" : "models", repo->name);
    add_encoded(out, repo->revision, false);
    mdf_strbuf_puts(out, "?recursive=true");
    return check_url(out, err);
}

mdf_status mdf_hub_file_url(mdf_strbuf *out, const mdf_hub_repo *repo, const char *path,
                            mdf_error *err)
{
    MDF_TRY(check_names(repo, err));
    add_hub(out, repo->hub);
    mdf_strbuf_printf(out, "/%s%s/resolve/", repo->kind == MDF_HUB_DATASET ? "datasets/" : "",
                      repo->name);
    add_encoded(out, repo->revision, false);
    mdf_strbuf_puts(out, "/");
    add_encoded(out, path, true);
    return check_url(out, err);
}

mdf_status mdf_hub_list_init(mdf_hub_list *l, mdf_error *err)
{
    *l = (mdf_hub_list){0};
    return mdf_arena_init(&l->names, 0, 0, err);
}

void mdf_hub_list_free(mdf_hub_list *l)
{
    mdf_free(l->file);
    mdf_arena_free(&l->names);
    *l = (mdf_hub_list){0};
}

/* What is wrong with one folder's or file's name of a path; NULL = nothing. */
static const char *component_fault(const char *s, size_t n)
{
    if (n == 0 || (n == 1 && s[0] == '.')) {
        return "has an empty part";
    }
    if (n == 2 && s[0] == '.' && s[1] == '.') {
        return "leads out of the folder";
    }
    if (n == 4 && strncasecmp(s, ".git", 4) == 0) {
        return "would change a git repository";
    }
    return n > MAX_COMPONENT ? "has a name that is too long" : NULL;
}

static const char *path_fault(const char *path, size_t len)
{
    if (len > MDF_MAX_LIST_PATH) {
        return "is too long";
    }
    if (mdf_utf8_check((const uint8_t *)path, len) != len) {
        return "is not UTF-8";
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)path[i] < ' ' || path[i] == 0x7f || path[i] == '\\') {
            return "has a character that no path has";
        }
    }
    if (len > 0 && path[0] == '/') {
        return "leads out of the folder";
    }
    for (size_t at = 0; at <= len;) {
        const char *slash = memchr(path + at, '/', len - at);
        const size_t n = slash == NULL ? len - at : (size_t)(slash - (path + at));
        const char *fault = component_fault(path + at, n);
        if (fault != NULL) {
            return fault;
        }
        at += n + 1;
    }
    return NULL;
}

/* For messages: the path's printable ASCII, cut. */
static void quote(char *out, size_t out_bytes, const char *path, size_t len)
{
    size_t n = 0;
    for (; n < len && n + 1 < out_bytes; n++) {
        out[n] = path[n];
        if (path[n] < ' ' || path[n] > '~') {
            out[n] = '?';
        }
    }
    out[n] = '\0';
}

static mdf_status parse_sha256(const json_t *oid, char *out, const char *shown, mdf_error *err)
{
    static const char prefix[] = "sha256:";
    const char *text = json_string_value(oid);
    size_t n = text == NULL ? 0 : json_string_length(oid);
    if (n > sizeof prefix - 1 && memcmp(text, prefix, sizeof prefix - 1) == 0) {
        text += sizeof prefix - 1;
        n -= sizeof prefix - 1;
    }
    bool ok = n == MDF_SHA256_HEX;
    for (size_t i = 0; ok && i < n; i++) {
        ok = isxdigit((unsigned char)text[i]) != 0;
        out[i] = (char)tolower((unsigned char)text[i]);
    }
    out[ok ? n : 0] = '\0';
    return ok ? MDF_OK
              : mdf_fail(err, MDF_ERR_FORMAT, "the hub's list: '%s': lfs.oid is not a SHA-256 sum",
                         shown);
}

static mdf_status parse_bytes(const json_t *size, uint64_t *out, const char *shown, mdf_error *err)
{
    if (!json_is_integer(size) || json_integer_value(size) < 0) {
        return mdf_fail(err, MDF_ERR_FORMAT, "the hub's list: '%s': its size is not a number",
                        shown);
    }
    *out = (uint64_t)json_integer_value(size);
    if (*out > MDF_MAX_FETCH_BYTES) {
        return mdf_fail(err, MDF_ERR_LIMIT,
                        "the hub's list: '%s': %llu bytes, more than the limit of %llu", shown,
                        (unsigned long long)*out, (unsigned long long)MDF_MAX_FETCH_BYTES);
    }
    return MDF_OK;
}

static mdf_status append(mdf_hub_list *l, const mdf_hub_file *f, mdf_error *err)
{
    if (l->count >= MDF_MAX_LIST_FILES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "the hub's list: more than %d files",
                        MDF_MAX_LIST_FILES);
    }
    if (l->count == l->capacity) {
        const size_t capacity = l->capacity == 0 ? 64 : l->capacity * 2;
        mdf_hub_file *longer = mdf_grow(l->file, l->count, capacity, sizeof *longer);
        if (longer == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "the hub's list: out of memory");
        }
        l->file = longer;
        l->capacity = capacity;
    }
    l->file[l->count++] = *f;
    return MDF_OK;
}

static mdf_status add_entry(mdf_hub_list *l, const json_t *entry, size_t index, mdf_error *err)
{
    const json_t *type = json_object_get(entry, "type");
    const json_t *path = json_object_get(entry, "path");
    const json_t *lfs = json_object_get(entry, "lfs");
    const json_t *size = json_object_get(entry, "size");
    char shown[120];
    mdf_hub_file f = {0};
    if (!json_is_string(type) || !json_is_string(path)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "the hub's list: entry %zu has no type or no path",
                        index);
    }
    if (strcmp(json_string_value(type), "file") != 0) {
        return MDF_OK;
    }
    const size_t len = json_string_length(path);
    quote(shown, sizeof shown, json_string_value(path), len);
    const char *fault = path_fault(json_string_value(path), len);
    if (fault != NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "the hub's list: '%s' %s: refused", shown, fault);
    }
    if (json_is_object(lfs)) {
        const json_t *lfs_size = json_object_get(lfs, "size");
        size = lfs_size != NULL ? lfs_size : size;
        MDF_TRY(parse_sha256(json_object_get(lfs, "oid"), f.sha256, shown, err));
    }
    MDF_TRY(parse_bytes(size, &f.bytes, shown, err));
    f.path = mdf_arena_strndup(&l->names, json_string_value(path), len);
    if (f.path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "the hub's list: out of memory");
    }
    return append(l, &f, err);
}

mdf_status mdf_hub_list_add(mdf_hub_list *l, const uint8_t *json, size_t len, mdf_error *err)
{
    json_error_t where;
    if (len > MDF_MAX_LIST_BYTES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "the hub's list: %zu bytes, more than the limit of %zu",
                        len, MDF_MAX_LIST_BYTES);
    }
    json_t *root = json_loadb((const char *)json, len, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) {
        return mdf_fail_at(err, MDF_ERR_FORMAT, where.position < 0 ? 0 : (size_t)where.position,
                           "the hub's list: line %d: not JSON: %s", where.line, where.text);
    }
    mdf_status status = MDF_OK;
    if (!json_is_array(root)) {
        status = mdf_fail(err, MDF_ERR_FORMAT, "the hub's list: not an array of files");
    }
    const size_t count = json_array_size(root);
    for (size_t i = 0; status == MDF_OK && i < count; i++) {
        status = add_entry(l, json_array_get(root, i), i, err);
    }
    json_decref(root);
    return status;
}

static int by_path(const void *a, const void *b)
{
    const mdf_hub_file *x = a;
    const mdf_hub_file *y = b;
    return strcmp(x->path, y->path);
}

mdf_status mdf_hub_list_finish(mdf_hub_list *l, mdf_error *err)
{
    if (l->count > 0) {
        qsort(l->file, l->count, sizeof *l->file, by_path);
    }
    for (size_t i = 1; i < l->count; i++) {
        if (strcmp(l->file[i - 1].path, l->file[i].path) == 0) {
            return mdf_fail(err, MDF_ERR_FORMAT, "the hub's list: '%.120s' comes twice",
                            l->file[i].path);
        }
    }
    return MDF_OK;
}
