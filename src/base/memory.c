/* How much memory a program may still take. */
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES = 16384 }; /* memory.stat has 2 kB */

/* A small file of the kernel's as text; false: there is none. */
static bool read_text(const char *path, char text[FILE_BYTES])
{
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    const size_t n = fread(text, 1, FILE_BYTES - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    return n > 0;
}

static bool parse_number(const char *text, uint64_t *out)
{
    char *end = NULL;
    const unsigned long long n = strtoull(text, &end, 10);
    *out = n;
    return end != text && text[0] != '-';
}

bool mdf_memory_number(const char *text, const char *key, uint64_t *out)
{
    const size_t n = strlen(key);
    while (text != NULL) {
        if (strncmp(text, key, n) == 0 && (text[n] == ':' || text[n] == ' ')) {
            return parse_number(text + n + 1 + strspn(text + n + 1, " "), out);
        }
        text = strchr(text, '\n');
        text = text == NULL ? NULL : text + 1;
    }
    return false;
}

/* The two kinds of control groups. */
typedef struct group_kind {
    const char *mount;
    const char *line; /* what stands before the path in /proc/self/cgroup */
    const char *most, *used;
    const char *files; /* in memory.stat: pages of files, given back when they are needed */
} group_kind;

static const group_kind kinds[] = {
    {"/sys/fs/cgroup", "0::", "memory.max", "memory.current", "file"},
    {"/sys/fs/cgroup/memory", ":memory:", "memory.limit_in_bytes", "memory.usage_in_bytes",
     "total_cache"},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* A file of the folder as text. */
static bool read_of(const char *folder, const char *name, char text[FILE_BYTES])
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return read_text(path, text);
}

static uint64_t left_of_group(const group_kind *k, const char *folder)
{
    char text[FILE_BYTES];
    uint64_t most = 0;
    uint64_t used = 0;
    uint64_t files = 0;
    if (!read_of(folder, k->most, text) || !parse_number(text, &most) || /* "max" */
        !read_of(folder, k->used, text) || !parse_number(text, &used)) {
        return UINT64_MAX;
    }
    if (!read_of(folder, "memory.stat", text) || !mdf_memory_number(text, k->files, &files)) {
        files = 0;
    }
    used -= files < used ? files : used;
    return used < most ? most - used : 0;
}

/* The path of the process's group, in text; NULL: there is none. */
static char *find_group(const group_kind *k, char *text)
{
    for (char *line = text; line != NULL;) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end = '\0';
        }
        char *found = strstr(line, k->line);
        if (found != NULL && (k->line[0] == ':' || found == line)) {
            return found + strlen(k->line);
        }
        line = end == NULL ? NULL : end + 1;
    }
    return NULL;
}

/* The process's group and those above it. */
static uint64_t left_of_groups(const group_kind *k)
{
    char text[FILE_BYTES];
    char folder[400];
    uint64_t left = left_of_group(k, k->mount);
    const char *path = read_text("/proc/self/cgroup", text) ? find_group(k, text) : NULL;
    if (path == NULL) {
        return left;
    }
    (void)snprintf(folder, sizeof folder, "%s%s", k->mount, path);
    while (strlen(folder) > strlen(k->mount) + 1) {
        const uint64_t n = left_of_group(k, folder);
        left = n < left ? n : left;
        *strrchr(folder, '/') = '\0';
    }
    return left;
}

uint64_t mdf_memory_available(void)
{
    char text[FILE_BYTES];
    uint64_t kilobytes = 0;
    if (!read_text("/proc/meminfo", text) || !mdf_memory_number(text, "MemAvailable", &kilobytes) ||
        kilobytes > UINT64_MAX / 1024) {
        return UINT64_MAX;
    }
    uint64_t left = 1024 * kilobytes;
    for (int i = 0; i < KINDS; i++) {
        const uint64_t n = left_of_groups(&kinds[i]);
        left = n < left ? n : left;
    }
    return left;
}
