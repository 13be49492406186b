/* Class folders and split folders. Entries are read in byte order, so the list of cases does not
 * depend on the file system. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/file.h"
#include "data/manifest_build.h"

typedef struct listing {
    char **name; /* [count] without hidden entries */
    size_t count;
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

static bool is_image_name(const char *name)
{
    static const char *const endings[] = {".jpg",  ".jpeg", ".png", ".tif",
                                          ".tiff", ".webp", ".dcm"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof endings / sizeof endings[0]; i++) {
        if (strcasecmp(dot, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_split_name(const char *name)
{
    static const char *const names[] = {"train", "val", "valid", "validation", "test"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Adds every image directly in root/relative; counts them. */
static mdf_status add_images(mdf_manifest_builder *b, const char *root, const char *relative,
                             const char *split, const char *label, size_t *count, mdf_error *err)
{
    char *dir = mdf_path_join(root, relative);
    listing l = {0};
    mdf_status status = dir == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", root)
                                    : list_dir(&l, dir, err);
    *count = 0;
    for (size_t i = 0; status == MDF_OK && i < l.count; i++) {
        if (!is_image_name(l.name[i])) {
            continue;
        }
        char *file = mdf_path_join(relative, l.name[i]);
        if (file == NULL) {
            status = mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", root);
            break;
        }
        const mdf_manifest_row row = {.file_name = file, .split = split, .label = label};
        b->base = root;
        b->row = b->m->case_count;
        b->line = 0;
        status = mdf_manifest_add(b, &row, err);
        mdf_free(file);
        (*count)++;
    }
    listing_free(&l);
    mdf_free(dir);
    return status;
}

/* A folder of class folders: root/split/<label>/. */
static mdf_status add_split_folder(mdf_manifest_builder *b, const char *root, const char *split,
                                   mdf_error *err)
{
    char *dir = mdf_path_join(root, split);
    listing l = {0};
    mdf_status status = dir == NULL ? mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", root)
                                    : list_dir(&l, dir, err);
    for (size_t i = 0; status == MDF_OK && i < l.count; i++) {
        char *relative = mdf_path_join(split, l.name[i]);
        char *path = relative == NULL ? NULL : mdf_path_join(root, relative);
        size_t count = 0;
        if (path == NULL) {
            status = mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", root);
        } else if (mdf_path_is_dir(path)) {
            status = add_images(b, root, relative, split, l.name[i], &count, err);
        }
        mdf_free(path);
        mdf_free(relative);
    }
    listing_free(&l);
    mdf_free(dir);
    return status;
}

static mdf_status read_entry(mdf_manifest_builder *b, const char *root, const char *name,
                             const char *path, mdf_error *err)
{
    bool found = false;
    b->split = name;
    const mdf_status status = mdf_manifest_read_table(b, path, &found, err);
    b->split = NULL;
    if (status != MDF_OK || found) {
        return status;
    }
    size_t count = 0;
    const bool is_split = is_split_name(name);
    MDF_TRY(add_images(b, root, name, is_split ? name : NULL, is_split ? NULL : name, &count, err));
    return count != 0 ? MDF_OK : add_split_folder(b, root, name, err);
}

mdf_status mdf_manifest_read_folders(mdf_manifest_builder *b, const char *dir, mdf_error *err)
{
    listing l = {0};
    MDF_TRY(list_dir(&l, dir, err));
    mdf_status status = MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < l.count; i++) {
        char *path = mdf_path_join(dir, l.name[i]);
        if (path == NULL) {
            status = mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir);
        } else if (mdf_path_is_dir(path)) {
            status = read_entry(b, dir, l.name[i], path, err);
        }
        mdf_free(path);
    }
    listing_free(&l);
    return status;
}
