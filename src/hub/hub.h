/* Repositories as hubs in the manner of Hugging Face serve them: addresses, and the list of a
 * repository's files. Nothing here touches network or disk.
 *
 *     GET HUB/api/models/NAME/tree/REVISION?recursive=true      the list, in pages
 *     GET HUB/NAME/resolve/REVISION/PATH                        the bytes of one file
 *     GET HUB/api/datasets/NAME/tree/REVISION?recursive=true    the same of a data set
 *     GET HUB/datasets/NAME/resolve/REVISION/PATH
 */
#ifndef MDF_HUB_HUB_H
#define MDF_HUB_HUB_H

#include "base/arena.h"
#include "base/sha256.h"
#include "base/strbuf.h"

#define MDF_HUB_NAME_BYTES     194 /* room for OWNER/NAME of 96 each, and a NUL */
#define MDF_HUB_REVISION_BYTES 257 /* ... for a branch, a tag or a commit */

typedef enum mdf_hub_kind { MDF_HUB_MODEL, MDF_HUB_DATASET } mdf_hub_kind;

/* A state of a repository; strings are borrowed. */
typedef struct mdf_hub_repo {
    const char *hub; /* http(s)://host[/path]; slashes at the end don't matter */
    mdf_hub_kind kind;
    const char *name;     /* "OWNER/NAME" or "NAME" */
    const char *revision; /* branch, tag or commit */
} mdf_hub_repo;

/* "NAME" or "OWNER/NAME" of letters, digits, '-', '_' and '.'. */
bool mdf_hub_is_name(const char *name);

/* Neither empty nor too long, without spaces and control characters. */
bool mdf_hub_is_revision(const char *revision);

/* MDF_ERR_ARG: the name is none, or the revision. */
mdf_status mdf_hub_list_url(mdf_strbuf *out, const mdf_hub_repo *repo,
                            mdf_error *err) MDF_NODISCARD;
mdf_status mdf_hub_file_url(mdf_strbuf *out, const mdf_hub_repo *repo, const char *path,
                            mdf_error *err) MDF_NODISCARD;

typedef struct mdf_hub_file {
    const char *path; /* relative, "/" between folders, never out of the folder */
    uint64_t bytes;
    char sha256[MDF_SHA256_HEX + 1]; /* lower case; "" = the list has none */
} mdf_hub_file;

/* Files in the order of their paths once finished. */
typedef struct mdf_hub_list {
    mdf_hub_file *file; /* [count] */
    size_t count, capacity;
    mdf_arena names;
} mdf_hub_list;

mdf_status mdf_hub_list_init(mdf_hub_list *l, mdf_error *err) MDF_NODISCARD;
void mdf_hub_list_free(mdf_hub_list *l); /* a zeroed one is fine */

/* Adds the files of one page: a JSON array of {"type", "path", "size", "lfs": {"oid", "size"}}.
 * Whatever is no file is skipped. MDF_ERR_FORMAT, MDF_ERR_LIMIT: a path that leads out of the
 * folder or has strange characters, a size or a sum that is none; the list must be freed then. */
mdf_status mdf_hub_list_add(mdf_hub_list *l, const uint8_t *json, size_t len,
                            mdf_error *err) MDF_NODISCARD;

/* Sorts; MDF_ERR_FORMAT when a path comes twice. */
mdf_status mdf_hub_list_finish(mdf_hub_list *l, mdf_error *err) MDF_NODISCARD;

#endif
