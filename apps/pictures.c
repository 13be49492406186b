/* The pictures that a command line names; see pictures.h. */
#include "pictures.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/status.h"
#include "photo/image.h"

enum {
    DEEPEST = 64,         /* folders in folders */
    KINDS = 12,           /* of files that are named, by their endings */
    KIND_BYTES = 16,      /* of an ending; longer ones are no kind */
    FIRST_READ = 1 << 20, /* bytes for a picture on standard input */
    SNIFF_BYTES = 32      /* that tell a picture */
};

/* What is passed over in a folder. */
typedef struct passed {
    char kind[KINDS][KIND_BYTES]; /* ".csv"; "" = without an ending, or of another one */
    size_t files[KINDS];
    size_t kinds, all, links;
} passed;

static mdf_status no_memory(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the list of pictures");
}

static mdf_status add(app_pictures *p, const char *path, mdf_error *err)
{
    if (p->count == MDF_MAX_CASES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "more than the limit of %d pictures", MDF_MAX_CASES);
    }
    if (p->count == p->capacity) {
        const size_t capacity = p->capacity == 0 ? 64 : 2 * p->capacity;
        const char **grown = mdf_grow(p->item, p->count, capacity, sizeof *grown);
        if (grown == NULL) {
            return no_memory(err);
        }
        p->item = grown;
        p->capacity = capacity;
    }
    p->item[p->count++] = path;
    return MDF_OK;
}

static const char *ending_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL || strlen(dot) >= KIND_BYTES ? "" : dot;
}

/* kind: an ending, or another word of fewer than KIND_BYTES. */
static void pass_over(passed *s, const char *kind)
{
    size_t k = 0;
    while (k < s->kinds && strcasecmp(s->kind[k], kind) != 0) {
        k++;
    }
    if (k == s->kinds && k == KINDS) {
        k = KINDS - 1; /* the last one is for all others */
        s->kind[k][0] = '\0';
    } else if (k == s->kinds) {
        for (size_t i = 0; kind[i] != '\0'; i++) {
            s->kind[k][i] = (char)tolower((unsigned char)kind[i]);
        }
        s->kinds++;
    }
    s->files[k]++;
    s->all++;
}

/* A picture by its first bytes or by its name: one that is damaged must fail, not be passed over,
 * and so must one that can't be opened. */
static bool is_picture(const char *path, const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".jpe",  ".jfif",
                                          ".png", ".tif",  ".tiff", ".webp"};
    uint8_t head[SNIFF_BYTES];
    for (size_t i = 0; i < APP_COUNT(endings); i++) {
        if (strcasecmp(ending_of(name), endings[i]) == 0) {
            return true;
        }
    }
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return true;
    }
    const ssize_t n = read(fd, head, sizeof head);
    (void)close(fd);
    return n > 0 && mdf_image_sniff(head, (size_t)n) != MDF_IMAGE_UNKNOWN;
}

/* The names in a folder but . and .., in byte order. */
typedef struct listing {
    char **name; /* [count] */
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

static mdf_status list_folder(listing *l, const char *dir, mdf_error *err)
{
    size_t capacity = 0;
    *l = (listing){0};
    DIR *d = opendir(dir);
    if (d == NULL) {
        return mdf_file_fail(err, dir, "list the folder");
    }
    mdf_status status = MDF_OK;
    for (const struct dirent *e = readdir(d); status == MDF_OK && e != NULL; e = readdir(d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        if (l->count == capacity) {
            capacity = capacity == 0 ? 64 : 2 * capacity;
            char **grown = mdf_grow(l->name, l->count, capacity, sizeof *grown);
            status = grown == NULL ? no_memory(err) : MDF_OK;
            l->name = grown == NULL ? l->name : grown;
        }
        char *copy = status == MDF_OK ? mdf_strdup(e->d_name) : NULL;
        if (copy == NULL) {
            status = no_memory(err);
        } else {
            l->name[l->count++] = copy;
        }
    }
    (void)closedir(d);
    if (status != MDF_OK) {
        listing_free(l);
    } else if (l->count > 1) {
        qsort(l->name, l->count, sizeof *l->name, compare_names);
    }
    return status;
}

static mdf_status add_folder(app_pictures *p, passed *s, const char *dir, int depth,
                             mdf_error *err);

/* A file or folder in dir. Links to folders are not followed: they may lead around in circles. */
static mdf_status add_entry(app_pictures *p, passed *s, const char *path, const char *name,
                            int depth, mdf_error *err)
{
    struct stat st;
    struct stat link;
    if (lstat(path, &link) != 0 || stat(path, &st) != 0) {
        pass_over(s, "gone"); /* by now, or what a link leads to */
        return MDF_OK;
    }
    if (S_ISDIR(st.st_mode)) {
        if (S_ISLNK(link.st_mode)) {
            s->links++;
            return MDF_OK;
        }
        return add_folder(p, s, path, depth + 1, err);
    }
    /* What begins with a dot belongs to a system: ".DS_Store", "._eye.jpg". */
    const char *kind = !S_ISREG(st.st_mode) ? "no file" : name[0] == '.' ? "hidden" : NULL;
    if (kind != NULL || !is_picture(path, name)) {
        pass_over(s, kind != NULL ? kind : ending_of(name));
        return MDF_OK;
    }
    const char *copy = mdf_arena_strndup(&p->arena, path, strlen(path));
    return copy == NULL ? no_memory(err) : add(p, copy, err);
}

static mdf_status add_folder(app_pictures *p, passed *s, const char *dir, int depth, mdf_error *err)
{
    listing l;
    if (depth > DEEPEST) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: more than %d folders in each other", dir, DEEPEST);
    }
    MDF_TRY(list_folder(&l, dir, err));
    mdf_status status = MDF_OK;
    for (size_t i = 0; status == MDF_OK && i < l.count; i++) {
        char *path = mdf_path_join(dir, l.name[i]);
        status = path == NULL ? no_memory(err) : add_entry(p, s, path, l.name[i], depth, err);
        mdf_free(path);
    }
    listing_free(&l);
    return status;
}

static void tell_passed(const app *a, const char *dir, const passed *s)
{
    mdf_strbuf text = mdf_strbuf_new(4096);
    for (size_t k = 0; k < s->kinds; k++) {
        mdf_strbuf_printf(&text, "%s%s (%zu)", k > 0 ? ", " : "",
                          s->kind[k][0] == '\0' ? "others" : s->kind[k], s->files[k]);
    }
    if (s->all > 0 && text.data != NULL) {
        app_say(a, "%s: %zu file%s no picture that mdf reads: %s", dir, s->all,
                s->all == 1 ? " is" : "s are", text.data);
    }
    if (s->links > 0) {
        app_say(a, "%s: %zu link%s to a folder, not followed", dir, s->links,
                s->links == 1 ? "" : "s");
    }
    mdf_strbuf_free(&text);
}

static mdf_status add_operand(app_pictures *p, const app *a, const char *path, mdf_error *err)
{
    const size_t before = p->count;
    passed s = {.all = 0};
    if (!mdf_path_is_dir(path)) {
        return add(p, path, err); /* what is not there fails by name when it is read */
    }
    MDF_TRY(add_folder(p, &s, path, 1, err));
    tell_passed(a, path, &s);
    return p->count > before ? MDF_OK
                             : mdf_fail(err, MDF_ERR_ARG, "%s: no picture in this folder", path);
}

mdf_status app_pictures_list(app_pictures *p, const app *a, mdf_error *err)
{
    size_t standard_input = 0;
    *p = (app_pictures){0};
    MDF_TRY(mdf_arena_init(&p->arena, 0, 0, err));
    for (size_t i = 0; i < a->operands.count; i++) {
        const char *path = a->operands.item[i];
        standard_input += strcmp(path, "-") == 0 ? 1 : 0;
        if (standard_input > 1) {
            return mdf_fail(err, MDF_ERR_ARG, "- is given twice, but there is one standard input");
        }
        MDF_TRY(add_operand(p, a, path, err));
    }
    return MDF_OK;
}

void app_pictures_free(app_pictures *p)
{
    mdf_free(p->item);
    mdf_arena_free(&p->arena);
    *p = (app_pictures){0};
}

/* All of standard input, at most max_bytes. */
static mdf_status read_input(const app *a, size_t max_bytes, uint8_t **bytes, size_t *len,
                             mdf_error *err)
{
    size_t capacity = 0;
    uint8_t *data = NULL;
    ssize_t n = 1;
    *len = 0;
    while (n != 0) {
        if (*len == capacity) {
            capacity = capacity == 0 ? FIRST_READ : 2 * capacity;
            capacity = capacity > max_bytes ? max_bytes + 1 : capacity;
            uint8_t *grown = mdf_grow(data, *len, capacity, 1);
            if (grown == NULL) {
                mdf_free(data);
                return mdf_fail(err, MDF_ERR_NOMEM, "standard input: out of memory");
            }
            data = grown;
        }
        n = read(STDIN_FILENO, data + *len, capacity - *len);
        if (n < 0 && (errno != EINTR || *a->stop != 0)) {
            const mdf_status status = errno != EINTR
                                          ? mdf_file_fail(err, "standard input", "read")
                                          : mdf_fail(err, MDF_ERR_STOPPED, "stopped by the user");
            mdf_free(data);
            return status;
        }
        *len += n > 0 ? (size_t)n : 0;
        if (*len > max_bytes) {
            mdf_free(data);
            return mdf_fail(err, MDF_ERR_LIMIT, "standard input: more than the limit of %zu bytes",
                            max_bytes);
        }
    }
    *bytes = data;
    return MDF_OK;
}

mdf_status app_picture_read(const app *a, const char *path, uint8_t **bytes, size_t *len,
                            mdf_error *err)
{
    return strcmp(path, "-") == 0 ? read_input(a, MDF_MAX_IMAGE_BYTES, bytes, len, err)
                                  : mdf_file_read(path, MDF_MAX_IMAGE_BYTES, bytes, len, err);
}
