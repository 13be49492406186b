/* Files and folders: bounded reads, atomic writes (temporary file, fsync, rename), mapping. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

/* strerror() is not thread-safe and its GNU twin is not portable; strerror_l() is both. */
static const char *reason(int code)
{
    switch (code) {
    case ENOENT:
        return "no such file or folder";
    case EACCES:
    case EPERM:
        return "permission denied";
    case ENOSPC:
    case EDQUOT:
        return "the disk is full";
    case EFBIG:
        return "file too large";
    case EISDIR:
        return "it is a folder";
    case EEXIST:
        return "a file is in its way";
    case ENOTDIR:
        return "a part of the path is not a folder";
    case EROFS:
        return "the file system is read-only";
    case EMFILE:
    case ENFILE:
        return "too many open files";
    case ENOMEM:
        return "out of memory";
    default:
        return "input/output error";
    }
}

mdf_status mdf_file_fail(mdf_error *err, const char *path, const char *what)
{
    const int code = errno;
    return mdf_fail(err, code == ENOMEM ? MDF_ERR_NOMEM : MDF_ERR_IO, "%s: can't %s: %s", path,
                    what, reason(code));
}

static mdf_status open_regular(const char *path, int *fd, size_t *size, mdf_error *err)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) {
        return mdf_file_fail(err, path, "open");
    }
    struct stat st;
    mdf_status status = MDF_OK;
    if (fstat(*fd, &st) != 0) {
        status = mdf_file_fail(err, path, "inspect");
    } else if (S_ISDIR(st.st_mode)) {
        status = mdf_fail(err, MDF_ERR_IO, "%s: can't read: it is a folder", path);
    } else if (!S_ISREG(st.st_mode)) {
        status = mdf_fail(err, MDF_ERR_IO, "%s: can't read: not a regular file", path);
    } else {
        *size = (size_t)st.st_size;
    }
    if (status != MDF_OK) {
        (void)close(*fd);
        *fd = -1;
    }
    return status;
}

/* What a clone without Git LFS has in place of a large file; nothing that is read here begins so.
 */
static mdf_status check_pointer(const char *path, const uint8_t *data, size_t len, mdf_error *err)
{
    static const char begin[] = "version https://git-lfs.github.com/spec/";
    return len < sizeof begin || memcmp(data, begin, sizeof begin - 1) != 0
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_FORMAT,
                          "%s: it is a Git LFS pointer, not the file: git lfs pull fetches that",
                          path);
}

static mdf_status read_all(int fd, const char *path, uint8_t *data, size_t size, mdf_error *err)
{
    size_t done = 0;
    while (done < size) {
        const ssize_t n = read(fd, data + done, size - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return mdf_file_fail(err, path, "read");
        }
        if (n == 0) {
            return mdf_fail(err, MDF_ERR_IO, "%s: the file shrank while it was read", path);
        }
        done += (size_t)n;
    }
    return MDF_OK;
}

mdf_status mdf_file_read(const char *path, size_t max_bytes, uint8_t **data, size_t *len,
                         mdf_error *err)
{
    int fd = -1;
    size_t size = 0;
    MDF_TRY(open_regular(path, &fd, &size, err));
    mdf_status status = MDF_OK;
    uint8_t *bytes = NULL;
    if (size > max_bytes) {
        status = mdf_fail(err, MDF_ERR_LIMIT, "%s: %zu bytes, more than the limit of %zu", path,
                          size, max_bytes);
    } else {
        bytes = mdf_alloc(size + 1, 1);
        status = bytes == NULL
                     ? mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for %zu bytes", path, size)
                     : read_all(fd, path, bytes, size, err);
    }
    if (status == MDF_OK) {
        status = check_pointer(path, bytes, size, err);
    }
    (void)close(fd);
    if (status != MDF_OK) {
        mdf_free(bytes);
        return status;
    }
    *data = bytes;
    *len = size;
    return MDF_OK;
}

mdf_status mdf_file_writer_open(mdf_file_writer *w, const char *path, mdf_error *err)
{
    *w = (mdf_file_writer){0};
    const size_t n = strlen(path);
    w->path = mdf_strndup(path, n);
    w->temp_path = mdf_alloc(n + sizeof ".XXXXXX", 1);
    if (w->path == NULL || w->temp_path == NULL) {
        mdf_file_writer_abort(w);
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
    }
    memcpy(w->temp_path, path, n);
    memcpy(w->temp_path + n, ".XXXXXX", sizeof ".XXXXXX");
    const int fd = mkstemp(w->temp_path);
    if (fd < 0) {
        const mdf_status status = mdf_file_fail(err, path, "create");
        mdf_free(w->temp_path);
        w->temp_path = NULL;
        mdf_file_writer_abort(w);
        return status;
    }
    (void)fchmod(fd, 0644);
    w->stream = fdopen(fd, "wb");
    if (w->stream == NULL) {
        const mdf_status status = mdf_file_fail(err, path, "create");
        (void)close(fd);
        mdf_file_writer_abort(w);
        return status;
    }
    return MDF_OK;
}

/* Makes the rename itself durable. A file system that can't sync a folder is no reason to fail. */
static void sync_parent(const char *path)
{
    char *copy = mdf_strdup(path);
    if (copy == NULL) {
        return;
    }
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    mdf_free(copy);
}

mdf_status mdf_file_publish(int fd, const char *temp_path, const char *path, mdf_error *err)
{
    if (fsync(fd) != 0) {
        return mdf_file_fail(err, temp_path, "write");
    }
    if (rename(temp_path, path) != 0) {
        return mdf_file_fail(err, path, "replace");
    }
    sync_parent(path);
    return MDF_OK;
}

mdf_status mdf_file_writer_write(mdf_file_writer *w, const void *data, size_t len, mdf_error *err)
{
    if (len != 0 && fwrite(data, 1, len, w->stream) != len) {
        return mdf_file_fail(err, w->path, "write");
    }
    return MDF_OK;
}

/* A stream remembers that a write failed, but not why. So the file is written to once more: a full
 * disk is still full. What that adds is cut off again. Leaves the reason in errno. */
static void ask_again(int fd)
{
    static const uint8_t block[4096];
    const off_t end = lseek(fd, 0, SEEK_END);
    int reason_code = EIO;
    for (int i = 0; i < 16 && reason_code == EIO; i++) {
        reason_code = write(fd, block, sizeof block) < 0 ? errno : EIO;
    }
    if (end >= 0 && ftruncate(fd, end) != 0) {
        reason_code = errno;
    }
    errno = reason_code;
}

mdf_status mdf_file_writer_sync(mdf_file_writer *w, mdf_error *err)
{
    if (ferror(w->stream) != 0) {
        ask_again(fileno(w->stream));
        return mdf_file_fail(err, w->path, "write");
    }
    if (fflush(w->stream) != 0 || fsync(fileno(w->stream)) != 0) {
        return mdf_file_fail(err, w->path, "write");
    }
    return MDF_OK;
}

mdf_status mdf_file_writer_commit(mdf_file_writer *w, mdf_error *err)
{
    mdf_status status = mdf_file_writer_sync(w, err);
    if (fclose(w->stream) != 0 && status == MDF_OK) {
        status = mdf_file_fail(err, w->path, "write");
    }
    w->stream = NULL;
    if (status == MDF_OK && rename(w->temp_path, w->path) != 0) {
        status = mdf_file_fail(err, w->path, "replace");
    }
    if (status == MDF_OK) {
        sync_parent(w->path);
        mdf_free(w->temp_path);
        w->temp_path = NULL;
    }
    mdf_file_writer_abort(w);
    return status;
}

void mdf_file_writer_abort(mdf_file_writer *w)
{
    if (w->stream != NULL) {
        (void)fclose(w->stream);
    }
    if (w->temp_path != NULL) {
        (void)unlink(w->temp_path);
    }
    mdf_free(w->path);
    mdf_free(w->temp_path);
    *w = (mdf_file_writer){0};
}

mdf_status mdf_file_write(const char *path, const void *data, size_t len, mdf_error *err)
{
    mdf_file_writer w;
    MDF_TRY(mdf_file_writer_open(&w, path, err));
    if (len != 0 && fwrite(data, 1, len, w.stream) != len) {
        const mdf_status status = mdf_file_fail(err, path, "write");
        mdf_file_writer_abort(&w);
        return status;
    }
    return mdf_file_writer_commit(&w, err);
}

bool mdf_path_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool mdf_path_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

mdf_status mdf_make_dirs(const char *path, mdf_error *err)
{
    char *copy = mdf_strdup(path);
    if (copy == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
    }
    mdf_status status = MDF_OK;
    for (char *p = copy + 1; status == MDF_OK; p++) {
        const char c = *p;
        if (c == '/' || c == '\0') {
            *p = '\0';
            if (mkdir(copy, 0755) != 0 && !(errno == EEXIST && mdf_path_is_dir(copy))) {
                status = mdf_file_fail(err, copy, "make the folder");
            }
            *p = c;
        }
        if (c == '\0') {
            break;
        }
    }
    mdf_free(copy);
    return status;
}

char *mdf_path_join(const char *a, const char *b)
{
    if (b[0] == '/' || a[0] == '\0') {
        return mdf_strdup(b);
    }
    const size_t n = strlen(a);
    const size_t m = strlen(b);
    char *p = mdf_alloc(n + m + 2, 1);
    if (p != NULL) {
        memcpy(p, a, n);
        p[n] = '/';
        memcpy(p + n + (a[n - 1] != '/'), b, m + 1);
    }
    return p;
}

mdf_status mdf_map_open(mdf_map *m, const char *path, mdf_error *err)
{
    int fd = -1;
    size_t size = 0;
    MDF_TRY(open_regular(path, &fd, &size, err));
    *m = (mdf_map){0};
    if (size == 0) {
        (void)close(fd);
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: the file is empty", path);
    }
    void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    if (p == MAP_FAILED) {
        return mdf_file_fail(err, path, "map");
    }
    const mdf_status status = check_pointer(path, p, size, err);
    if (status != MDF_OK) {
        (void)munmap(p, size);
        return status;
    }
    m->data = p;
    m->len = size;
    return MDF_OK;
}

void mdf_map_close(mdf_map *m)
{
    if (m->data != NULL) {
        (void)munmap((void *)(uintptr_t)m->data, m->len);
    }
    *m = (mdf_map){0};
}

void mdf_map_release(const uint8_t *data, size_t len)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t from = ((uintptr_t)data + page - 1) / page * page;
    const uintptr_t to = ((uintptr_t)data + len) / page * page;
    if (from < to) {
        (void)madvise((void *)from, to - from, MADV_DONTNEED);
    }
}
