/* Class folders and split folders. Entries are read in byte order, so the list of cases does not
 * depend on the file system. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "data/manifest_build.h"
#include "photo/image_format.h"

typedef struct listing {
    char **name; /* [count] without hidden entries */
    size_t count;
    size_t hidden;
} listing;

static void listing_free(listing *l)
{
    for (size_t i = 0; i < l->count; i++) {
        mdf_free(l->name[i]);
    }
    mdf_free(l->name);
    *l = (listing){0};
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static mdf_status listing_add(listing *l, size_t *capacity, const char *name)
{
    if (l->count == *capacity) {
        const size_t grown_to = *capacity == 0 ? 64 : *capacity * 2;
        char **grown = mdf_grow(l->name, l->count, grown_to, sizeof *l->name);
        if (grown == NULL) {
            return MDF_ERR_NOMEM;
        }
        l->name = grown;
        *capacity = grown_to;
    }
    l->name[l->count] = mdf_strdup(name);
    if (l->name[l->count] == NULL) {
        return MDF_ERR_NOMEM;
    }
    l->count++;
    return MDF_OK;
}

static mdf_status list_dir(listing *l, const char *dir, mdf_error *err)
{
    *l = (listing){0};
    DIR *d = opendir(dir);
    if (d == NULL) {
        return mdf_fail(err, MDF_ERR_IO, "%s: can't list the folder", dir);
    }
    size_t capacity = 0;
    mdf_status status = MDF_OK;
    for (const struct dirent *e = readdir(d); status == MDF_OK && e != NULL; e = readdir(d)) {
        if (e->d_name[0] != '.') {
            status = listing_add(l, &capacity, e->d_name);
        } else if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            l->hidden++;
        }
    }
    (void)closedir(d);
    if (status != MDF_OK) {
        listing_free(l);
        return mdf_fail(err, status, "%s: out of memory for the list of files", dir);
    }
    if (l->count > 1) {
        qsort(l->name, l->count, sizeof *l->name, compare_names);
    }
    return MDF_OK;
}

/* Where the walk is: what the folders above say about the pictures here. */
typedef struct place {
    const char *split;   /* NULL = none */
    const char *label;   /* NULL: not in a class folder yet */
    const char *patient; /* NULL: not in a folder below a class */
    int depth;
} place;

typedef struct walk {
    mdf_manifest_builder *b;
    const char *root;
    size_t unlabelled;
    const char *first_unlabelled; /* of the manifest's strings */
    size_t patients;
    const char *first_patient;
} walk;

static mdf_status no_memory(const walk *w, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", w->root);
}

/* Masks of pictures, which only a table can name. */
static bool is_mask_folder(const char *name)
{
    char folded[32];
    mdf_cell_fold(folded, sizeof folded, name);
    const size_t n = strlen(folded);
    const char *const ends[] = {"mask", "masks"};
    for (size_t i = 0; i < 2; i++) {
        const size_t len = strlen(ends[i]);
        if (n >= len && strcmp(folded + n - len, ends[i]) == 0 &&
            (n == len || folded[n - len - 1] == '_')) {
            return true;
        }
    }
    return false;
}

static mdf_status add_file(walk *w, const char *relative, const char *name, const place *p,
                           mdf_error *err)
{
    mdf_manifest_builder *b = w->b;
    char ending[16];
    const mdf_image_ending kind = mdf_image_ending_of(name, ending, sizeof ending);
    if (kind != MDF_ENDING_READ) {
        mdf_manifest_count_ending(b, ending, kind == MDF_ENDING_PICTURE);
        return MDF_OK;
    }
    const char *row[MDF_COLUMN_COUNT] = {[MDF_COLUMN_FILE_NAME] = relative,
                                         [MDF_COLUMN_SPLIT] = p->split,
                                         [MDF_COLUMN_LABEL] = p->label,
                                         [MDF_COLUMN_PATIENT_ID] = p->patient};
    b->base = w->root;
    b->row = b->m->case_count;
    b->line = 0;
    MDF_TRY(mdf_manifest_add(b, row, err));
    if (p->label == NULL && w->unlabelled++ == 0) {
        w->first_unlabelled = b->m->cases[b->m->case_count - 1].path;
    }
    return MDF_OK;
}

/* What the folder `name` in p says. */
static mdf_status enter(walk *w, const char *relative, const char *name, const place *p,
                        place *next, mdf_error *err)
{
    *next = *p;
    next->depth++;
    if (next->depth > MDF_MAX_FOLDER_DEPTH) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s/%s: more than %d folders deep; is there a loop?",
                        w->root, relative, MDF_MAX_FOLDER_DEPTH);
    }
    const bool is_split = mdf_cell_is_split(name);
    if (p->depth == 0 && is_split) {
        next->split = mdf_cell_split(name);
    } else if (p->label == NULL) {
        next->label = name;
    } else if (p->patient == NULL) {
        if (is_split) {
            return mdf_fail(err, MDF_ERR_FORMAT,
                            "%s/%s: a folder of a split below the class '%s'; splits come first, "
                            "then classes",
                            w->root, relative, p->label);
        }
        next->patient = name;
        w->first_patient =
            w->patients++ == 0 ? mdf_manifest_string(w->b, relative) : w->first_patient;
    }
    return MDF_OK;
}

static mdf_status walk_folder(walk *w, const char *relative, const place *p, mdf_error *err);

/* A table in a first folder speaks for all of it. */
static mdf_status read_inner_table(walk *w, const char *name, const char *path, bool *found,
                                   mdf_error *err)
{
    w->b->split = mdf_cell_split(name);
    const mdf_status status = mdf_manifest_read_table(w->b, path, found, err);
    w->b->split = NULL;
    return status;
}

static mdf_status walk_entry(walk *w, const char *relative, const char *name, const place *p,
                             mdf_error *err)
{
    char *path = mdf_path_join(w->root, relative);
    if (path == NULL) {
        return no_memory(w, err);
    }
    const bool is_dir = mdf_path_is_dir(path);
    bool done = !is_dir;
    mdf_status status = MDF_OK;
    if (!is_dir) {
        status = add_file(w, relative, name, p, err);
    } else if (p->depth == 0) {
        status = read_inner_table(w, name, path, &done, err);
    }
    mdf_free(path);
    if (status != MDF_OK || done) {
        return status;
    }
    if (is_mask_folder(name)) {
        return mdf_manifest_note(w->b, MDF_NOTE_ALWAYS, err,
                                 "%s/%s: a folder of masks is not read; masks are named by a table",
                                 w->root, relative);
    }
    place next;
    MDF_TRY(enter(w, relative, name, p, &next, err));
    return walk_folder(w, relative, &next, err);
}

/* relative: below the root, "" for the root itself. */
static mdf_status walk_folder(walk *w, const char *relative, const place *p, mdf_error *err)
{
    char *dir = relative[0] == '\0' ? mdf_strdup(w->root) : mdf_path_join(w->root, relative);
    listing l = {0};
    mdf_status status = dir == NULL ? no_memory(w, err) : list_dir(&l, dir, err);
    for (size_t i = 0; status == MDF_OK && i < l.count; i++) {
        char *entry =
            relative[0] == '\0' ? mdf_strdup(l.name[i]) : mdf_path_join(relative, l.name[i]);
        status = entry == NULL ? no_memory(w, err) : walk_entry(w, entry, l.name[i], p, err);
        mdf_free(entry);
    }
    for (size_t i = 0; i < l.hidden; i++) {
        mdf_manifest_count_ending(w->b, "hidden", false);
    }
    listing_free(&l);
    mdf_free(dir);
    return status;
}

mdf_status mdf_manifest_read_folders(mdf_manifest_builder *b, const char *dir, mdf_error *err)
{
    walk w = {.b = b, .root = dir};
    MDF_TRY(walk_folder(&w, "", &(place){0}, err));
    if (w.unlabelled != 0) {
        MDF_TRY(mdf_manifest_note(
            b, MDF_NOTE_ALWAYS, err,
            "%s: %zu %s in no class folder and %s read without a label (first: %s)", dir,
            w.unlabelled, w.unlabelled == 1 ? "picture lies" : "pictures lie",
            w.unlabelled == 1 ? "is" : "are", w.first_unlabelled));
    }
    if (w.patients != 0) {
        MDF_TRY(mdf_manifest_note(
            b, MDF_NOTE_ALWAYS, err, "%s: %zu %s below the classes %s read as patients (first: %s)",
            dir, w.patients, w.patients == 1 ? "folder" : "folders", w.patients == 1 ? "is" : "are",
            w.first_patient == NULL ? "" : w.first_patient));
    }
    return MDF_OK;
}
