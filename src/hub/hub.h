/* Model repositories as hubs in the manner of Hugging Face serve them: addresses, and the list of a
 * repository's files. Nothing here touches network or disk.
 *
 *     GET HUB/api/models/REPO/tree/REVISION?recursive=true    the list, in pages
 *     GET HUB/REPO/resolve/REVISION/PATH                      the bytes of one file
 */
#ifndef MDF_HUB_HUB_H
#define MDF_HUB_HUB_H

#include "base/arena.h"
#include "base/sha256.h"
#include "base/strbuf.h"

/* MDF_ERR_ARG: repo is not "NAME" or "OWNER/NAME" of letters, digits, '-', '_' and '.', or the
 * revision is empty or has control characters. hub's slashes at the end don't matter. */
mdf_status mdf_hub_list_url(mdf_strbuf *out, const char *hub, const char *repo,
                            const char *revision, mdf_error *err) MDF_NODISCARD;
mdf_status mdf_hub_file_url(mdf_strbuf *out, const char *hub, const char *repo,
                            const char *revision, const char *path, mdf_error *err) MDF_NODISCARD;

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
