/* A model folder as input and output of the commands that make models. */
#ifndef MDF_CONVERT_MODEL_FOLDER_H
#define MDF_CONVERT_MODEL_FOLDER_H

#include "base/file.h"
#include "config/config.h"

enum { MDF_FOLDER_FILES = 12 }; /* small files of a model folder, at most */

/* A folder being written. Its small files lie there whole, but under temporary names, until the
 * weights are complete, too (convert/model_stream.h gives both their names):
 *
 *     mdf_model_folder f;
 *     MDF_TRY(mdf_model_folder_open(&f, dir, err));
 *     mdf_status status = mdf_model_folder_config(&f, config, err);
 *     if (status == MDF_OK) { status = mdf_stream_model(&(mdf_stream_plan){.folder = &f, ... },
 * ...); } mdf_model_folder_close(&f, status == MDF_OK); */
typedef struct mdf_model_folder {
    const char *dir; /* borrowed */
    bool made;       /* it was not there */
    size_t files;
    struct {
        const char *name; /* borrowed */
        mdf_file_writer writer;
        bool added; /* has its name, and nothing had it before */
    } file[MDF_FOLDER_FILES];
} mdf_model_folder;

/* MDF_ERR_ARG: there is a model in the folder. */
mdf_status mdf_model_folder_check(const char *dir, mdf_error *err) MDF_NODISCARD;

/* Makes the folder; a model that is there already is MDF_ERR_ARG. On failure there is nothing to
 * close. */
mdf_status mdf_model_folder_open(mdf_model_folder *f, const char *dir,
                                 mdf_error *err) MDF_NODISCARD;

/* One more file; all of it is on the disk afterwards. */
mdf_status mdf_model_folder_put(mdf_model_folder *f, const char *name, const void *data, size_t len,
                                mdf_error *err) MDF_NODISCARD;
mdf_status mdf_model_folder_config(mdf_model_folder *f, const mdf_config *c,
                                   mdf_error *err) MDF_NODISCARD; /* config.json */

/* Copies tokenizer, chat template, generation and preprocessor settings, as far as they are there.
 */
mdf_status mdf_model_folder_copy(mdf_model_folder *f, const char *from,
                                 mdf_error *err) MDF_NODISCARD;

/* Gives the files their names. */
mdf_status mdf_model_folder_name(mdf_model_folder *f, mdf_error *err) MDF_NODISCARD;

/* Unless they are kept, takes away what was added, and the folder if it was made and is empty. */
void mdf_model_folder_close(mdf_model_folder *f, bool keep);

/* dir/config.json */
mdf_status mdf_model_config_read(mdf_config *c, const char *dir, mdf_error *err) MDF_NODISCARD;

#endif
