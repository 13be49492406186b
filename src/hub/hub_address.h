/* Where a repository is, out of what a user types or copies from a browser:
 *
 *     [datasets/]OWNER/NAME
 *     hf://[datasets/]OWNER/NAME[@REVISION]
 *     https://HOST[:PORT][/PATH]/[datasets/]OWNER/NAME[/tree/REVISION]
 *
 * A revision is one part, percent-encoded, or "refs/pr/N" or "refs/convert/NAME" as they stand.
 * What lies within a repository (a folder of its tree, a file) is refused: the sentence says how
 * to fetch that part alone. */
#ifndef MDF_HUB_HUB_ADDRESS_H
#define MDF_HUB_HUB_ADDRESS_H

#include "hub/hub.h"

#define MDF_HUB_URL_BYTES 512

typedef struct mdf_hub_address {
    char hub[MDF_HUB_URL_BYTES]; /* http(s)://host[/path] without a slash at the end; "" = not said
                                  */
    mdf_hub_kind kind;
    char name[MDF_HUB_NAME_BYTES];         /* OWNER/NAME or NAME */
    char revision[MDF_HUB_REVISION_BYTES]; /* "" = not said */
} mdf_hub_address;

/* hub [hubs]: addresses of hubs that may lie at a path of their host; when text begins with one,
 * what follows is the repository, otherwise everything behind the host is. NULLs among them are
 * passed over. *out is only changed on success. MDF_ERR_FORMAT, MDF_ERR_LIMIT: one sentence with
 * the text. */
mdf_status mdf_hub_address_parse(mdf_hub_address *out, const char *text, size_t len,
                                 const char *const *hub, size_t hubs, mdf_error *err) MDF_NODISCARD;

#endif
