/* mdf info of safetensors files, one or several with their index. */
#include "info.h"
#include "io/torch_file.h"
#include "weights/weights.h"

/* What a file of torch's holds beside tensors, by names; NULL: nothing. */
static json_t *left_out_of(const mdf_weights *w)
{
    for (size_t i = 0; i < w->shards.files; i++) {
        const char *names = mdf_safetensors_metadata(&w->shards.file[i], MDF_TORCH_LEFT_OUT);
        if (names != NULL) {
            return json_string(names);
        }
    }
    return NULL;
}

mdf_status info_tensors(const char *path, const info_flags *f, json_t **doc, mdf_error *err)
{
    const bool rows_too = f->tensors || !mdf_path_is_dir(path); /* a file has nothing else */
    mdf_weights weights;
    mdf_part_count count[MDF_PARTS];
    size_t numbers = 0;
    MDF_TRY(mdf_weights_open(&weights, path, err));
    if (f->check_tensors) {
        const mdf_status status = mdf_weights_check(&weights, err);
        if (status != MDF_OK) {
            mdf_weights_close(&weights);
            return status;
        }
    }
    json_t *rows = json_array();
    json_t *types = json_object();
    for (size_t file = 0; file < weights.shards.files; file++) {
        for (size_t i = 0; i < weights.shards.file[file].count; i++) {
            const mdf_st_tensor *t = &weights.shards.file[file].tensor[i];
            info_add_type(types, t->dtype, t->bytes);
            numbers += t->count;
            if (rows_too) {
                (void)json_array_append_new(rows, info_tensor(t->name, t->dtype, t->rank, t->dim));
            }
        }
    }
    json_t *left_out = left_out_of(&weights);
    mdf_parts_of_weights(count, &weights);
    *doc = json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o*, s:o}", "files",
                     (json_int_t)weights.shards.files, "tensors", (json_int_t)weights.count,
                     "numbers", (json_int_t)numbers, "bytes", (json_int_t)weights.bytes, "types",
                     types, "parts", info_parts(count), "left_out", left_out, "tensor", rows);
    mdf_weights_close(&weights);
    return *doc != NULL ? MDF_OK : info_no_memory(err);
}
