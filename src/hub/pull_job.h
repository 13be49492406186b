/* What listing and fetching share. Internal to hub/pull*.c. */
#ifndef MDF_HUB_PULL_JOB_H
#define MDF_HUB_PULL_JOB_H

#include "hub/http.h"
#include "hub/pull.h"

#define MDF_PULL_BUFFER_BYTES ((size_t)1 << 20)

typedef struct mdf_pull_job {
    const mdf_pull_options *opt;
    mdf_pull_result *result;
    mdf_http *http;
    mdf_hub_repo from;
    uint8_t *buffer;     /* [MDF_PULL_BUFFER_BYTES], for reading back what is on disk */
    uint64_t done_bytes; /* of the files before the one at hand */
} mdf_pull_job;

/* Can another try help, after an answer with such a code? */
bool mdf_pull_code_may_pass(int code);

/* The sentence for an answer that is not the wanted one, to a request for a file, which the caller
 * names, or for the list. */
mdf_status mdf_pull_refused(const mdf_pull_job *job, bool is_file, const mdf_http_reply *r,
                            mdf_error *err);

/* After a failure that may pass: MDF_OK when it is time for try number tries + 1; *err's failure
 * when that were too many; MDF_ERR_STOPPED. *tries counts tries in a row. err is not NULL. */
mdf_status mdf_pull_wait(const mdf_pull_job *job, int *tries, const mdf_http_reply *reply,
                         mdf_error *err) MDF_NODISCARD;

/* Remembers the commit that the hub names; MDF_ERR_FORMAT when it is another one than before. */
mdf_status mdf_pull_commit(mdf_pull_job *job, const mdf_http_reply *reply,
                           mdf_error *err) MDF_NODISCARD;

#endif
