/* What the commands may write over; see outputs.h. */
#include "outputs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/status.h"
#include "convert/model_folder.h"
#include "train/trainer.h"

enum { HEAD_BYTES = 512 }; /* in which a file of mdf's says so */

static bool is_none(app_output o)
{
    return o.path == NULL || strcmp(o.path, "-") == 0;
}

static bool contains(const char *bytes, size_t n, const char *word, size_t len)
{
    for (size_t i = 0; i + len <= n; i++) {
        if (memcmp(bytes + i, word, len) == 0) {
            return true;
        }
    }
    return false;
}

/* Do the first bytes say that mdf wrote the file? PNG: report/png_mark.c, HTML: report/html.c,
 * JSON: cmd_eval.c, CSV: segment_table.c, conversations: engine/session_file.c. */
static bool is_ours(const char *path)
{
    static const char png[] = "Software\0mdf ";
    static const char html[] = "name=\"generator\" content=\"mdf ";
    static const char json[] = "\"producer\": \"mdf ";
    static const char talk[] = "{\"__metadata__\":{\"mdf.session\":";
    static const char csv[] = "image,name,width_px,height_px,gradable,quality,field_x_px,";
    char head[HEAD_BYTES];
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    const ssize_t n = read(fd, head, sizeof head);
    (void)close(fd);
    return n > 0 && (contains(head, (size_t)n, png, sizeof png - 1) ||
                     contains(head, (size_t)n, html, sizeof html - 1) ||
                     contains(head, (size_t)n, json, sizeof json - 1) ||
                     contains(head, (size_t)n, talk, sizeof talk - 1) ||
                     contains(head, (size_t)n, csv, sizeof csv - 1));
}

mdf_status app_output_check(app_output o, bool force, mdf_error *err)
{
    struct stat st;
    if (is_none(o) || stat(o.path, &st) != 0) {
        return MDF_OK;
    }
    if (!S_ISREG(st.st_mode)) {
        return mdf_fail(err, MDF_ERR_ARG, "%s %s: it is %s, not a file that can be replaced",
                        o.flag, o.path, S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
    }
    if (force || st.st_size == 0 || is_ours(o.path)) {
        return MDF_OK;
    }
    return mdf_fail(err, MDF_ERR_ARG,
                    "%s %s: there is a file already that mdf did not write; --force replaces it",
                    o.flag, o.path);
}

mdf_status app_output_not_file(app_output o, const char *path, mdf_error *err)
{
    struct stat out;
    struct stat in;
    if (is_none(o) || path == NULL || stat(o.path, &out) != 0 || stat(path, &in) != 0 ||
        out.st_dev != in.st_dev || out.st_ino != in.st_ino) {
        return MDF_OK;
    }
    return mdf_fail(err, MDF_ERR_ARG, "%s %s: this run reads that file (%s); choose another name",
                    o.flag, o.path, path);
}

struct app_input {
    dev_t device;
    ino_t number;
    const char *path;
};

static int compare_inputs(const void *a, const void *b)
{
    const struct app_input *x = a;
    const struct app_input *y = b;
    if (x->device != y->device) {
        return x->device < y->device ? -1 : 1;
    }
    return x->number == y->number ? 0 : x->number < y->number ? -1 : 1;
}

mdf_status app_inputs_of(app_inputs *in, const char *const *path, size_t count, mdf_error *err)
{
    *in = (app_inputs){0};
    in->file = mdf_alloc(count, sizeof *in->file);
    if (in->file == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a list of %zu files", count);
    }
    for (size_t i = 0; i < count; i++) {
        struct stat st;
        if (stat(path[i], &st) == 0) {
            in->file[in->count++] = (struct app_input){st.st_dev, st.st_ino, path[i]};
        }
    }
    if (in->count > 1) {
        qsort(in->file, in->count, sizeof *in->file, compare_inputs);
    }
    return MDF_OK;
}

void app_inputs_free(app_inputs *in)
{
    mdf_free(in->file);
    *in = (app_inputs){0};
}

mdf_status app_output_not_among(app_output o, const app_inputs *in, mdf_error *err)
{
    struct stat out;
    if (is_none(o) || in->count == 0 || stat(o.path, &out) != 0) {
        return MDF_OK;
    }
    const struct app_input key = {out.st_dev, out.st_ino, NULL};
    const struct app_input *found =
        bsearch(&key, in->file, in->count, sizeof *in->file, compare_inputs);
    return found == NULL ? MDF_OK : app_output_not_file(o, found->path, err);
}

/* Takes the last name off a path; false when there is none left. */
static bool cut_name(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL || slash[1] == '\0') {
        return false; /* one name, or the root */
    }
    slash[slash == path ? 1 : 0] = '\0';
    return true;
}

/* The nearest folder of dir's path that is there, without links; NULL: none, or no memory. Caller
 * frees with free(). */
static char *nearest_of(const char *dir)
{
    char *path = mdf_strdup(dir);
    char *real = NULL;
    while (path != NULL && strlen(path) > 1 && path[strlen(path) - 1] == '/') {
        path[strlen(path) - 1] = '\0';
    }
    while (path != NULL && (real = realpath(path, NULL)) == NULL && cut_name(path)) {
    }
    mdf_free(path);
    return real == NULL ? realpath(".", NULL) : real;
}

mdf_status app_is_below(const char *dir, const char *folder, bool *below, mdf_error *err)
{
    struct stat above;
    struct stat st;
    *below = false;
    if (stat(folder, &above) != 0) {
        return MDF_OK;
    }
    char *at = nearest_of(dir);
    if (at == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir);
    }
    do {
        *below = stat(at, &st) == 0 && st.st_dev == above.st_dev && st.st_ino == above.st_ino;
    } while (!*below && cut_name(at));
    free(at);
    return MDF_OK;
}

/* dir/name */
static mdf_status not_entry(app_output o, const char *dir, const char *name, mdf_error *err)
{
    char *path = mdf_path_join(dir, name);
    const mdf_status status = path == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir)
                                           : app_output_not_file(o, path, err);
    mdf_free(path);
    return status;
}

mdf_status app_output_not_in(app_output o, const char *dir, mdf_error *err)
{
    if (is_none(o) || dir == NULL || !mdf_path_exists(o.path) || is_ours(o.path)) {
        return MDF_OK; /* the numbers of an evaluation may lie beside the model, but are not read */
    }
    DIR *d = opendir(dir);
    mdf_status status = MDF_OK;
    for (const struct dirent *e = d == NULL ? NULL : readdir(d); status == MDF_OK && e != NULL;
         e = readdir(d)) {
        status = not_entry(o, dir, e->d_name, err);
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    return status;
}

/* The folder of a case's table: what its path has before the name in the table. Caller frees; NULL:
 * none, or out of memory. */
static char *folder_of(const mdf_manifest_case *c)
{
    const size_t n = strlen(c->path);
    const size_t m = strlen(c->file_name);
    return n > m && strcmp(c->path + n - m, c->file_name) == 0 ? mdf_strndup(c->path, n - m) : NULL;
}

/* The tables of a data folder. */
static mdf_status not_table(app_output o, const char *dir, mdf_error *err)
{
    MDF_TRY(not_entry(o, dir, "metadata.csv", err));
    MDF_TRY(not_entry(o, dir, "metadata.jsonl", err));
    return not_entry(o, dir, MDF_BOXES_FILE, err);
}

mdf_status app_output_not_data(app_output o, const mdf_manifest *m, mdf_error *err)
{
    char *seen = NULL; /* the folder of the case before */
    mdf_status status = MDF_OK;
    if (is_none(o) || !mdf_path_exists(o.path)) {
        return MDF_OK;
    }
    for (int i = 0; status == MDF_OK && i < m->dir_count; i++) {
        status = not_table(o, m->dirs[i], err);
    }
    for (size_t i = 0; status == MDF_OK && i < m->case_count; i++) {
        const mdf_manifest_case *c = &m->cases[i];
        status = app_output_not_file(o, c->path, err);
        for (size_t k = 0; status == MDF_OK && k < MDF_MASK_NAMES; k++) {
            status = app_output_not_file(o, c->mask[k], err);
        }
        char *dir = status == MDF_OK ? folder_of(c) : NULL;
        if (dir != NULL && (seen == NULL || strcmp(dir, seen) != 0)) {
            status = not_table(o, dir, err);
        }
        if (dir != NULL) {
            mdf_free(seen);
            seen = dir;
        }
    }
    mdf_free(seen);
    return status;
}

mdf_status app_output_folder(const char *dir, mdf_error *err)
{
    MDF_TRY(mdf_model_folder_check(dir, err));
    char *path = mdf_path_join(dir, MDF_RUN_LOCK);
    if (path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir);
    }
    const bool busy = mdf_lock_is_held(path);
    mdf_free(path);
    return busy ? mdf_fail(err, MDF_ERR_ARG, "%s: a training is writing this folder", dir) : MDF_OK;
}
