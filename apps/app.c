/* Talk and data of the commands; see app.h. */
#include "app.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/utf8.h"

mdf_status app_usage(app *a, mdf_error *err, const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    a->wrong_usage = true;
    return mdf_fail(err, MDF_ERR_ARG, "%s", text);
}

void app_say(const app *a, const char *fmt, ...)
{
    if (a->quiet) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

mdf_status app_print_json(json_t *doc, mdf_error *err)
{
    if (doc == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "no memory for the result");
    }
    const int failed = json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(doc);
    if (failed != 0 || fputc('\n', stdout) == EOF) {
        return mdf_fail(err, MDF_ERR_IO, "cannot write the result to standard output");
    }
    return MDF_OK;
}

mdf_status app_kv_type(app *a, const char *name, mdf_kv_type *out, mdf_error *err)
{
    static const char *const names[] = {
        [MDF_KV_F16] = "f16", [MDF_KV_BF16] = "bf16", [MDF_KV_F32] = "f32", [MDF_KV_Q8_0] = "q8_0"};
    for (size_t i = 0; i < APP_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (mdf_kv_type)i;
            return MDF_OK;
        }
    }
    return app_usage(a, err, "--kv-type takes f16, bf16, f32 or q8_0, not '%s'", name);
}

json_t *app_json_string(const char *s)
{
    return app_json_bytes(s, strlen(s));
}

json_t *app_json_bytes(const char *s, size_t n)
{
    mdf_strbuf text = mdf_strbuf_new(3 * n + 1);
    mdf_strbuf_puts(&text, "");
    for (size_t at = 0; at < n;) {
        const size_t good = mdf_utf8_check((const uint8_t *)s + at, n - at);
        mdf_strbuf_add(&text, s + at, good);
        at += good;
        if (at < n) {
            mdf_strbuf_puts(&text, "\xEF\xBF\xBD");
            at += mdf_utf8_bad_len((const uint8_t *)s + at, n - at);
        }
    }
    json_t *value = text.failed ? NULL : json_stringn(text.data, text.len);
    mdf_strbuf_free(&text);
    return value;
}

/* folder/name suffix below the n-th place where shared files can be; NULL = no memory. */
static char *place(const char *program_dir, const char *root, const char *folder, const char *name,
                   const char *suffix)
{
    mdf_strbuf path = mdf_strbuf_new(8192);
    mdf_strbuf_printf(&path, "%s/%s/%s/%s%s", program_dir, root, folder, name, suffix);
    if (path.failed) {
        mdf_strbuf_free(&path);
        return NULL;
    }
    return path.data;
}

mdf_status app_find_file(const char *name, const char *folder, const char *suffix, char **path,
                         mdf_error *err)
{
    /* Installed: bin/mdf beside share/mdf. In the source tree: build/mdf or build/<preset>/mdf. */
    static const char *const roots[] = {"../share/mdf", "..", "../.."};
    char program[4096];
    *path = NULL;
    const ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash = NULL;
    if (len > 0) {
        program[len] = '\0';
        slash = strrchr(program, '/');
    }
    const bool is_folder = suffix[0] != '\0' && mdf_path_is_dir(name); /* where a file is wanted */
    if ((mdf_path_exists(name) && !is_folder) || strchr(name, '/') != NULL || slash == NULL) {
        *path = mdf_strdup(name);
        return *path != NULL ? MDF_OK : mdf_fail(err, MDF_ERR_NOMEM, "no memory for a path");
    }
    *slash = '\0';
    for (size_t i = 0; i < APP_COUNT(roots); i++) {
        char *candidate = place(program, roots[i], folder, name, suffix);
        if (candidate == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "no memory for a path");
        }
        if (mdf_path_exists(candidate)) {
            *path = candidate;
            return MDF_OK;
        }
        mdf_free(candidate);
    }
    return mdf_fail(err, MDF_ERR_IO, "%s: no such file, and nothing of that name in %s", name,
                    folder);
}

mdf_status app_labels_of(app_labels *l, const arg_list *values, mdf_error *err)
{
    *l = (app_labels){.copy = NULL};
    if (values->count == 1) {
        l->copy = mdf_strdup(values->item[0]);
        if (l->copy == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the labels");
        }
    }
    char *next = l->copy;
    for (size_t i = 0; values->count == 1 ? next != NULL : i < values->count; i++) {
        if (l->count == MDF_MAX_LABELS) {
            app_labels_free(l);
            return mdf_fail(err, MDF_ERR_LIMIT, "--labels: more than the limit of %d",
                            MDF_MAX_LABELS);
        }
        l->name[l->count++] = values->count == 1 ? next : values->item[i];
        next = next == NULL ? NULL : strchr(next, ',');
        if (next != NULL) {
            *next++ = '\0';
        }
    }
    return MDF_OK;
}

void app_labels_free(app_labels *l)
{
    mdf_free(l->copy);
    *l = (app_labels){.copy = NULL};
}
