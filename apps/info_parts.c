/* What the kinds of files that mdf info describes have in common. */
#include "info.h"

mdf_status info_no_memory(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "no memory for the result");
}

json_t *info_parts(const mdf_part_count count[MDF_PARTS])
{
    json_t *doc = json_object();
    mdf_part_count sum = {0};
    for (int i = 0; i <= MDF_PARTS; i++) {
        const mdf_part_count *n = i < MDF_PARTS ? &count[i] : &sum;
        const char *name = i < MDF_PARTS ? mdf_part_name((mdf_part)i) : "total";
        if (n->tensors > 0) {
            json_t *row = json_pack("{s:I, s:I}", "tensors", (json_int_t)n->tensors, "parameters",
                                    (json_int_t)n->numbers);
            if (n->bytes > 0) {
                (void)json_object_set_new(row, "bytes", json_integer((json_int_t)n->bytes));
            }
            (void)json_object_set_new(doc, name, row);
        }
        sum.tensors += n->tensors;
        sum.numbers += n->numbers;
        sum.bytes += n->bytes;
    }
    return doc;
}

json_t *info_tensor(const char *name, mdf_dtype type, int rank, const int64_t *dim)
{
    json_t *shape = json_array();
    for (int i = 0; i < rank; i++) {
        (void)json_array_append_new(shape, json_integer((json_int_t)dim[i]));
    }
    return json_pack("{s:s, s:s, s:o}", "name", name, "dtype", mdf_dtype_name(type), "shape",
                     shape);
}

void info_add_type(json_t *types, mdf_dtype type, size_t bytes)
{
    const char *name = mdf_dtype_name(type);
    json_t *row = json_object_get(types, name);
    const json_int_t tensors = json_integer_value(json_object_get(row, "tensors"));
    const json_int_t before = json_integer_value(json_object_get(row, "bytes"));
    (void)json_object_set_new(
        types, name,
        json_pack("{s:I, s:I}", "tensors", tensors + 1, "bytes", before + (json_int_t)bytes));
}
