/* Lists of what a data check finds at files. */
#include "base/alloc.h"
#include "data/check_build.h"

mdf_status mdf_check_list_add(mdf_check_list *l, size_t number, const char *path,
                              const char *reason, mdf_error *err)
{
    if (l->count == l->capacity) {
        const size_t capacity = l->capacity == 0 ? 16 : 2 * l->capacity;
        mdf_check_item *grown = mdf_grow(l->item, l->count, capacity, sizeof *l->item);
        if (grown == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the data check");
        }
        l->item = grown;
        l->capacity = capacity;
    }
    char *copy = mdf_strdup(reason);
    if (copy == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the data check");
    }
    l->item[l->count++] = (mdf_check_item){number, path, copy};
    return MDF_OK;
}

void mdf_check_list_free(mdf_check_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        mdf_free(l->item[i].reason);
    }
    mdf_free(l->item);
    *l = (mdf_check_list){0};
}
