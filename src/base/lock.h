/* Files that one process at a time may work on. The lock belongs to the open file, so it ends with
 * the process, however that ends: what a killed one leaves behind is no obstacle. */
#ifndef MDF_BASE_LOCK_H
#define MDF_BASE_LOCK_H

#include "base/status.h"

/* Locks an open file. *taken false: another process, or another open file of this one, has it. A
 * file system that knows no locks is an error; path stands in it. */
mdf_status mdf_lock_file(int fd, const char *path, bool *taken, mdf_error *err) MDF_NODISCARD;

/* A lock on something that is no single file, kept by a file of its own. */
typedef struct mdf_lock {
    int fd; /* below 0: not taken */
    char *path;
} mdf_lock;

/* Makes the file and locks it. *taken as above; *l is empty unless it was taken. */
mdf_status mdf_lock_take(mdf_lock *l, const char *path, bool *taken, mdf_error *err) MDF_NODISCARD;

/* Takes the file away. Fine for one that was not taken. */
void mdf_lock_release(mdf_lock *l);

/* Does somebody hold it now? Changes nothing. */
bool mdf_lock_is_held(const char *path);

#endif
