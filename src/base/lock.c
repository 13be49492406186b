/* Files that one process at a time may work on, by flock(). */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

mdf_status mdf_lock_file(int fd, const char *path, bool *taken, mdf_error *err)
{
    *taken = flock(fd, LOCK_EX | LOCK_NB) == 0;
    return *taken || errno == EWOULDBLOCK ? MDF_OK : mdf_file_fail(err, path, "lock");
}

/* Between opening and locking, the one that had the lock may have taken the file away: then what is
 * locked has no name any more, and another process may lock a new file of that name. */
static bool has_name(int fd, const char *path)
{
    struct stat open_file;
    struct stat named;
    return fstat(fd, &open_file) == 0 && stat(path, &named) == 0 &&
           open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

mdf_status mdf_lock_take(mdf_lock *l, const char *path, bool *taken, mdf_error *err)
{
    *l = (mdf_lock){.fd = -1};
    char *copy = mdf_strdup(path);
    if (copy == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
    }
    mdf_status status = MDF_OK;
    do {
        l->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
        status =
            l->fd < 0 ? mdf_file_fail(err, path, "create") : mdf_lock_file(l->fd, path, taken, err);
        if (status == MDF_OK && *taken && has_name(l->fd, path)) {
            l->path = copy;
            return MDF_OK;
        }
        if (l->fd >= 0) {
            (void)close(l->fd);
        }
    } while (status == MDF_OK && *taken);
    mdf_free(copy);
    *l = (mdf_lock){.fd = -1};
    *taken = false;
    return status;
}

void mdf_lock_release(mdf_lock *l)
{
    if (l->path != NULL) {
        (void)unlink(l->path); /* before it is unlocked: see has_name() */
        (void)close(l->fd);
        mdf_free(l->path);
    }
    *l = (mdf_lock){.fd = -1};
}

bool mdf_lock_is_held(const char *path)
{
    const int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    const bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    (void)close(fd);
    return held;
}
