/* The small files of a model that is made of GGUF files. Only import_gguf.c uses it. */
#ifndef MDF_CONVERT_IMPORT_GGUF_FILES_H
#define MDF_CONVERT_IMPORT_GGUF_FILES_H

#include "base/strbuf.h"
#include "convert/model_folder.h"
#include "io/gguf.h"

enum { MDF_IMPORT_FILES = 5 };

typedef struct mdf_import_files {
    mdf_strbuf text[MDF_IMPORT_FILES]; /* empty: not written */
} mdf_import_files;

/* Makes the texts; remark as in import_gguf.h. Freed in any case. */
mdf_status mdf_import_files_make(mdf_import_files *out, const mdf_gguf_files *f,
                                 const mdf_config *c, mdf_error *remark,
                                 mdf_error *err) MDF_NODISCARD;
void mdf_import_files_free(mdf_import_files *t);

/* Hands them to the folder. */
mdf_status mdf_import_files_put(const mdf_import_files *t, mdf_model_folder *folder,
                                mdf_error *err) MDF_NODISCARD;

#endif
