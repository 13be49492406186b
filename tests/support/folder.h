/* A scratch folder for tests that need files. */
#ifndef MDF_TEST_FOLDER_H
#define MDF_TEST_FOLDER_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct test_folder {
    char path[64];
} test_folder;

static inline void test_folder_make(test_folder *f)
{
    (void)snprintf(f->path, sizeof f->path, "/tmp/mdf-test-XXXXXX");
    if (mkdtemp(f->path) == NULL) {
        abort();
    }
}

static inline void test_remove(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        DIR *d = opendir(path);
        for (struct dirent *e = d == NULL ? NULL : readdir(d); e != NULL; e = readdir(d)) {
            if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
                char child[1024];
                const int n = snprintf(child, sizeof child, "%s/%s", path, e->d_name);
                if (n < (int)sizeof child) {
                    test_remove(child);
                }
            }
        }
        if (d != NULL) {
            (void)closedir(d);
        }
        (void)rmdir(path);
    } else {
        (void)unlink(path);
    }
}

static inline void test_folder_remove(test_folder *f)
{
    test_remove(f->path);
}

/* Writes text to folder/name, making the folders in between. */
static inline void test_put(const test_folder *f, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", f->path, name);
    for (char *p = path + strlen(f->path) + 1; *p != '\0'; p++) {
        if (*p == '/') {
            *p = '\0';
            (void)mkdir(path, 0755);
            *p = '/';
        }
    }
    FILE *s = fopen(path, "wb");
    if (s == NULL || fputs(text, s) < 0 || fclose(s) != 0) {
        abort();
    }
}

/* A hole in a file of this folder takes no room: files of gigabytes may be made. */
static inline bool test_folder_has_holes(const test_folder *f)
{
    char path[512];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/hole", f->path);
    test_put(f, "hole", "");
    const bool holes =
        truncate(path, 16 << 20) == 0 && stat(path, &st) == 0 && st.st_blocks * 512 < st.st_size;
    (void)unlink(path);
    return holes;
}

#endif
