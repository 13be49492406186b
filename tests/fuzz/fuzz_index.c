/* Any bytes as a model.safetensors.index.json: no crash, and what is accepted names files of the
 * index's own folder only, every one of them used. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/safetensors_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdf_st_index x;
    if (mdf_st_index_parse(&x, (const char *)data, size, "fuzz", NULL) != MDF_OK) {
        check(x.file == NULL && x.files == 0 && x.place == NULL && x.places == 0);
        return 0;
    }
    bool used[MDF_ST_MAX_FILES] = {false};
    check(x.files > 0 && x.files <= MDF_ST_MAX_FILES && x.places >= x.files);
    for (size_t i = 0; i < x.places; i++) {
        check(x.place[i].file < x.files);
        used[x.place[i].file] = true;
        check(strlen(x.place[i].tensor) < size);
    }
    for (size_t i = 0; i < x.files; i++) {
        check(used[i] && strpbrk(x.file[i], "/\\") == NULL);
    }
    mdf_st_index_free(&x);
    return 0;
}
