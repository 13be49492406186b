/* Any bytes as the address of a repository: no crash, and what is accepted makes addresses without
 * a character that has a meaning there, and is the same once more when it is written out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hub/hub_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const hubs[] = {"https://h.example/mirror", NULL, "http://127.0.0.1:8080/"};
enum { HUBS = sizeof hubs / sizeof hubs[0] };

/* https://hub/[datasets/]name/tree/revision, the revision from mdf_hub_list_url(). */
static void check_again(const mdf_hub_address *a, const char *list_url)
{
    mdf_strbuf text = mdf_strbuf_new(8192);
    mdf_hub_address b;
    const char *revision = strstr(list_url, "/tree/");
    for (const char *next = revision; next != NULL; next = strstr(next + 1, "/tree/")) {
        revision = next; /* a repository may have that name */
    }
    const char *slash = strchr(a->name, '/');
    const char *name = slash == NULL ? a->name : slash + 1;
    if (strcmp(name, "tree") == 0 || strcmp(name, "blob") == 0 || strcmp(name, "raw") == 0 ||
        strcmp(name, "resolve") == 0) {
        mdf_strbuf_free(&text);
        return; /* only its short form can be told from a page */
    }
    mdf_strbuf_printf(&text, "%s/%s%s%.*s", a->hub[0] != '\0' ? a->hub : "https://r.example",
                      a->kind == MDF_HUB_DATASET ? "datasets/" : "", a->name,
                      (int)strcspn(revision, "?"), revision);
    if (mdf_hub_address_parse(&b, text.data, text.len, hubs, HUBS, NULL) != MDF_OK ||
        a->kind != b.kind || strcmp(a->name, b.name) != 0 ||
        strcmp(a->revision[0] != '\0' ? a->revision : "main", b.revision) != 0 ||
        (a->hub[0] != '\0' && strcmp(a->hub, b.hub) != 0)) {
        abort();
    }
    mdf_strbuf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdf_hub_address a;
    if (mdf_hub_address_parse(&a, (const char *)data, size, hubs, HUBS, NULL) != MDF_OK) {
        return 0;
    }
    mdf_strbuf url = mdf_strbuf_new(8192);
    const size_t hub = strlen(a.hub);
    const mdf_hub_repo repo = {.hub = hub > 0 ? a.hub : "https://r.example",
                               .kind = a.kind,
                               .name = a.name,
                               .revision = a.revision[0] != '\0' ? a.revision : "main"};
    if ((hub > 0 && (a.hub[hub - 1] == '/' || strpbrk(a.hub, "@?#% \\") != NULL)) ||
        mdf_hub_list_url(&url, &repo, NULL) != MDF_OK || strpbrk(url.data, "@# \\\r\n") != NULL ||
        strchr(url.data, '?') != strrchr(url.data, '?')) {
        abort();
    }
    check_again(&a, url.data);
    mdf_strbuf_free(&url);
    return 0;
}
