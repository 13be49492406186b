/* model.safetensors.index.json and pytorch_model.bin.index.json: which tensor of a model in several
 * files is in which of them. */
#ifndef MDF_IO_SAFETENSORS_INDEX_H
#define MDF_IO_SAFETENSORS_INDEX_H

#include "base/arena.h"

enum { MDF_ST_MAX_FILES = 1024 };

typedef struct mdf_st_index {
    const char **file; /* [files] names in the index's folder, none that leads out of it */
    size_t files;
    struct mdf_st_place {
        const char *tensor;
        size_t file;
    } * place; /* [places] in the order of the index */
    size_t places;
    mdf_arena arena; /* all of the above */
} mdf_st_index;

/* name stands in errors. On failure there is nothing to free. */
mdf_status mdf_st_index_parse(mdf_st_index *x, const char *bytes, size_t len, const char *name,
                              mdf_error *err) MDF_NODISCARD;
void mdf_st_index_free(mdf_st_index *x);

#endif
