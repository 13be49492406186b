/* Any bytes as a hub's list of files: no crash, and no accepted path leads out of the folder, has a
 * strange size or an address with a character that has a meaning there. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "hub/hub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const mdf_hub_file *f)
{
    const size_t n = strlen(f->path);
    const size_t sum = strlen(f->sha256);
    mdf_strbuf url = mdf_strbuf_new(8192);
    const mdf_hub_repo repo = {.hub = "https://h", .name = "a/b", .revision = "main"};
    if (n == 0 || f->path[0] == '/' || strcmp(f->path, "..") == 0 ||
        strncmp(f->path, "../", 3) == 0 || strstr(f->path, "/../") != NULL ||
        (n > 2 && strcmp(f->path + n - 3, "/..") == 0) || strstr(f->path, "//") != NULL ||
        f->path[n - 1] == '/' || mdf_utf8_check((const uint8_t *)f->path, n) != n ||
        f->bytes > MDF_MAX_FETCH_BYTES || (sum != 0 && sum != MDF_SHA256_HEX) ||
        strspn(f->sha256, "0123456789abcdef") != sum) {
        abort();
    }
    if (mdf_hub_file_url(&url, &repo, f->path, NULL) != MDF_OK ||
        strpbrk(url.data + 8, "?# \\\r\n:@") != NULL) {
        abort();
    }
    mdf_strbuf_free(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdf_hub_list l;
    if (mdf_hub_list_init(&l, NULL) != MDF_OK) {
        return 0;
    }
    if (mdf_hub_list_add(&l, data, size, NULL) == MDF_OK &&
        mdf_hub_list_finish(&l, NULL) == MDF_OK) {
        for (size_t i = 0; i < l.count; i++) {
            check(&l.file[i]);
            if (i > 0 && strcmp(l.file[i - 1].path, l.file[i].path) >= 0) {
                abort();
            }
        }
    }
    mdf_hub_list_free(&l);
    return 0;
}
