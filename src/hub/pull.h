/* Fetching a repository to a folder: lists it, leaves what is there and right, fetches the
 * rest. A file appears under its name only when it is whole and its SHA-256 is that of the hub's
 * list; until then it is NAME.<first digits of the sum>.part, which the next run goes on with. A
 * file without a sum is checked by its size and starts anew each time (such files are small). */
#ifndef MDF_HUB_PULL_H
#define MDF_HUB_PULL_H

#include <signal.h>

#include "hub/hub.h"

typedef enum mdf_pull_outcome {
    MDF_PULL_WAITING, /* not yet looked at */
    MDF_PULL_KEPT,    /* was there and is right */
    MDF_PULL_FETCHED,
    MDF_PULL_RESUMED /* fetched, the first part by an earlier run */
} mdf_pull_outcome;

typedef struct mdf_pull_progress {
    const char *path;       /* the file at hand */
    uint64_t done_bytes;    /* of all files, those that were there included */
    uint64_t total_bytes;   /* of all files */
    uint64_t fetched_bytes; /* over the network, in this run */
} mdf_pull_progress;

/* A zeroed member is its default; strings are borrowed. */
typedef struct mdf_pull_options {
    mdf_hub_repo from; /* revision NULL = main */
    const char *token; /* NULL = none */
    const char *out_dir;
    const char *const *include; /* globs: only files that match one; none = all */
    size_t include_count;
    const char *const *exclude; /* globs: no file that matches one */
    size_t exclude_count;
    int attempts;                      /* tries in a row that bring nothing, 0 = 6 */
    int retry_ms;                      /* before the second try, doubled each time; 0 = 1000 */
    int stall_seconds;                 /* without a byte, 0 = 30 */
    const volatile sig_atomic_t *stop; /* may be NULL */

    /* Both may be NULL. note: a sentence on what goes on (a retry, a partial file that is kept). */
    void (*progress)(void *user, const mdf_pull_progress *p);
    void (*note)(void *user, const char *text);
    void *user;
} mdf_pull_options;

typedef struct mdf_pull_result {
    mdf_hub_list list;         /* the chosen files */
    mdf_pull_outcome *outcome; /* [list.count] */
    uint64_t total_bytes, fetched_bytes;
    char commit[80]; /* that the revision stands for, "" = the hub did not say */
} mdf_pull_result;

/* *out is always valid for mdf_pull_result_free(). */
mdf_status mdf_pull(mdf_pull_result *out, const mdf_pull_options *opt,
                    mdf_error *err) MDF_NODISCARD;
void mdf_pull_result_free(mdf_pull_result *r);

#endif
