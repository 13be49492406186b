/* Any bytes as the value of each header field that has a grammar: no crash, and what is accepted
 * lies inside the text and agrees with itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hub/http_headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char out[64];
    uint64_t start = 0;
    int64_t total = 0;
    if (mdf_http_content_range(text, size, &start, &total) &&
        (total < -1 || start > (uint64_t)INT64_MAX || (total >= 0 && start >= (uint64_t)total))) {
        abort();
    }
    if (mdf_http_link_next(text, size, out, sizeof out) &&
        (strlen(out) == 0 || strlen(out) + 2 > size)) {
        abort();
    }
    if (mdf_http_strong_etag(text, size, out, sizeof out) &&
        (strlen(out) != size || strpbrk(out, " \r\n") != NULL)) {
        abort();
    }
    return 0;
}
