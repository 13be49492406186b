/* mdf segment: masks of photographs, and what is measured on them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "photo/image.h"
#include "photo/image_format.h"
#include "pictures.h"
#include "progress.h"
#include "report/outline.h"
#include "report/png_mark.h"
#include "segment_files.h"
#include "segment_table.h"

enum { MOST_PNG_BYTES = 1 << 30 };

typedef struct segment_flags {
    const char *model;
    const char *out;
    double threshold;
    bool overlay;
    bool force;
} segment_flags;

static const arg_option options[] = {
    {.name = "model",
     .letter = 'm',
     .kind = ARG_STRING,
     .offset = offsetof(segment_flags, model),
     .metavar = "RUN",
     .fallback = "small",
     .help = "folder of a run, or the name of a model that comes with mdf"},
    {.name = "out",
     .letter = 'o',
     .kind = ARG_STRING,
     .offset = offsetof(segment_flags, out),
     .metavar = "DIR",
     .required = true,
     .help = "folder for the masks (PNG, 0 and 255) and " SEGMENT_TABLE ", made if need be"},
    {.name = "threshold",
     .kind = ARG_DOUBLE,
     .offset = offsetof(segment_flags, threshold),
     .metavar = "P",
     .fallback = "0.5",
     .min = 0.001,
     .max = 0.999,
     .help = "probability from which on a pixel is in a mask"},
    {.name = "overlay",
     .kind = ARG_FLAG,
     .offset = offsetof(segment_flags, overlay),
     .help = "write the photograph with the masks' outlines, too"},
    {.name = "force",
     .kind = ARG_FLAG,
     .offset = offsetof(segment_flags, force),
     .help = "replace files that mdf did not write"},
};

/* A run over all pictures. */
typedef struct job {
    const app *a;
    const segment_flags *flags;
    mdf_session *session;
    const app_pictures *pictures;
    segment_files files;
    segment_kinds kinds;
    FILE *table; /* in memory, for the end */
    json_t *list;
    app_progress bar;
    size_t done; /* pictures that were segmented */
    bool ends;   /* what failed concerns all pictures */
} job;

/* ---- one picture ------------------------------------------------------------------------------
 */

static mdf_status write_png(const char *path, const uint8_t *px, int width, int height,
                            int channels, mdf_error *err)
{
    uint8_t *png = NULL;
    size_t len = 0;
    if (path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the name of a mask");
    }
    MDF_TRY(mdf_png_encode(&png, &len, px, width, height, channels, err));
    mdf_strbuf marked = mdf_strbuf_new(MOST_PNG_BYTES);
    mdf_png_mark(&marked, png, len);
    mdf_free(png);
    const mdf_status status =
        marked.failed ? mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for the PNG", path)
                      : mdf_file_write(path, marked.data, marked.len, err);
    mdf_strbuf_free(&marked);
    return status;
}

/* Colours that stand out from a retina, and from each other for colour-blind readers, too. */
static const uint8_t *colour_of(const char *kind)
{
    static const struct {
        const char *kind;
        uint8_t rgb[3];
    } colour[] = {{"vessel", {86, 180, 233}},       {"disc", {240, 228, 66}},
                  {"cup", {0, 158, 115}},           {"lesion", {255, 255, 255}},
                  {"haemorrhage", {204, 121, 167}}, {"hard_exudate", {0, 60, 178}}};
    for (size_t i = 0; i < APP_COUNT(colour); i++) {
        if (strcmp(colour[i].kind, kind) == 0) {
            return colour[i].rgb;
        }
    }
    return colour[3].rgb;
}

/* Thicker on larger photographs, so that it is seen when they are shown whole. */
static int line_of(const mdf_segmentation *r)
{
    const int line = (int)(r->field_diameter / 700);
    return line < 1 ? 1 : line;
}

/* Every mask, and photo, if it is there, with their outlines. */
static mdf_status write_masks(const job *j, size_t index, const mdf_segmentation *r,
                              mdf_image *photo, json_t *masks, mdf_error *err)
{
    mdf_status status = MDF_OK;
    uint8_t *px = mdf_alloc_raw((size_t)r->width * (size_t)r->height);
    if (px == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a mask of %d x %d pixels", r->width,
                        r->height);
    }
    for (int k = 0; status == MDF_OK && k < j->kinds.count; k++) {
        const char *kind = j->kinds.name[k];
        char *path = segment_files_path(&j->files, index, kind);
        status = mdf_session_mask(j->session, k, px, err);
        if (status == MDF_OK) {
            status = write_png(path, px, r->width, r->height, 1, err);
        }
        if (status == MDF_OK) {
            (void)json_object_set_new(masks, kind, app_json_string(path));
            if (photo->rgb != NULL) {
                mdf_outline_draw(photo->rgb, px, r->width, r->height, line_of(r), colour_of(kind));
            }
        }
        mdf_free(path);
    }
    mdf_free(px);
    if (status == MDF_OK && photo->rgb != NULL) {
        char *path = segment_files_path(&j->files, index, SEGMENT_OVERLAY);
        status = write_png(path, photo->rgb, r->width, r->height, 3, err);
        (void)json_object_set_new(masks, SEGMENT_OVERLAY, app_json_string(path));
        mdf_free(path);
    }
    return status;
}

static void tell(job *j, size_t index, json_t *masks, const mdf_segmentation *r)
{
    const char *path = j->pictures->item[index];
    app_progress_finish(&j->bar);
    for (int i = 0; i < r->caution.count; i++) {
        app_say(j->a, "%s: warning: %s", path, r->caution.text[i]);
    }
    if (j->a->json) {
        (void)json_array_append_new(
            j->list, segment_json(&j->kinds, path, j->files.name[index], json_incref(masks), r));
    } else {
        if (j->done == 1) {
            segment_text_header(&j->kinds);
        }
        segment_text_row(&j->kinds, path, r);
        (void)fflush(stdout);
    }
}

static mdf_status save(job *j, size_t index, const uint8_t *bytes, size_t len,
                       const mdf_segmentation *r, mdf_error *err)
{
    const char *path = j->pictures->item[index];
    mdf_image photo = {0};
    json_t *masks = json_object();
    mdf_status status = MDF_OK;
    if (j->flags->overlay) {
        status = mdf_image_decode(&photo, bytes, len, path, err);
    }
    j->ends = true; /* a full disk, say */
    if (status == MDF_OK && j->done == 0) {
        status = mdf_make_dirs(j->flags->out, err);
    }
    if (status == MDF_OK) {
        status = write_masks(j, index, r, &photo, masks, err);
    }
    if (status == MDF_OK) {
        status = segment_csv_row(j->table, &j->kinds, path, j->files.name[index], r, err);
    }
    if (status == MDF_OK) {
        j->ends = false;
        j->done++;
        tell(j, index, masks, r);
    }
    mdf_image_free(&photo);
    json_decref(masks);
    return status;
}

static mdf_status segment_one(job *j, size_t index, mdf_error *err)
{
    const char *path = j->pictures->item[index];
    uint8_t *bytes = NULL;
    size_t len = 0;
    mdf_segmentation r;
    MDF_TRY(app_picture_read(j->a, path, &bytes, &len, err));
    mdf_status status = mdf_session_segment(
        j->session, &(mdf_photo){.image = bytes, .image_bytes = len, .name = path},
        j->flags->threshold, &r, err);
    if (status == MDF_OK) {
        status = save(j, index, bytes, len, &r, err);
    }
    mdf_free(bytes);
    return status;
}

/* ---- all of them ------------------------------------------------------------------------------
 */

static mdf_status stopped(size_t done, size_t all, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_STOPPED, "stopped after %zu of %zu pictures", done, all);
}

/* Says that a picture failed, where the others go on. */
static mdf_status take_failure(job *j, size_t index, const mdf_error *why, mdf_error *err)
{
    const char *path = j->pictures->item[index];
    app_progress_finish(&j->bar);
    (void)fprintf(stderr, "mdf segment: %s\n", why->text);
    (void)json_array_append_new(j->list, json_pack("{s:o, s:o}", "image", app_json_string(path),
                                                   "error", app_json_string(why->text)));
    return segment_csv_failure(j->table, &j->kinds, path, j->files.name[index], why->text, err);
}

/* A picture that fails does not keep the others from being segmented. */
static mdf_status segment_each(job *j, mdf_error *err)
{
    const size_t n = j->pictures->count;
    size_t failed = 0;
    for (size_t i = 0; i < n; i++) {
        if (*j->a->stop != 0) {
            return stopped(i, n, err);
        }
        if (n > 1) {
            app_progress_update(
                &j->bar,
                &(app_progress_state){.done = i, .total = n, .images = i, .loss = (double)NAN});
        }
        const mdf_status status = segment_one(j, i, err);
        if (status == MDF_ERR_STOPPED) {
            return stopped(i, n, err);
        }
        if (status != MDF_OK && (n == 1 || j->ends)) {
            return status;
        }
        if (status != MDF_OK) {
            const mdf_error why = *err;
            failed++;
            MDF_TRY(take_failure(j, i, &why, err));
        }
    }
    return failed == 0 ? MDF_OK
                       : mdf_fail(err, MDF_ERR_FORMAT, "%zu of %zu pictures failed", failed, n);
}

/* The table of what was done, also where the run was stopped. */
static mdf_status write_table(job *j, const char *rows, size_t len, mdf_error *err)
{
    char *path = j->done == 0 ? NULL : segment_files_table(&j->files);
    if (path == NULL) {
        return j->done == 0 ? MDF_OK : mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the table");
    }
    const mdf_status status = mdf_file_write(path, rows, len, err);
    mdf_free(path);
    return status;
}

/* The first of two failures is the one to tell. */
static mdf_status after(mdf_status first, mdf_status second, const mdf_error *of_second,
                        mdf_error *err)
{
    if (first == MDF_OK && second != MDF_OK) {
        *err = *of_second;
        return second;
    }
    return first;
}

static mdf_status segment_all(job *j, mdf_error *err)
{
    char *rows = NULL;
    size_t len = 0;
    mdf_error late = {0};
    j->table = open_memstream(&rows, &len);
    j->list = json_array();
    if (j->table == NULL || j->list == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the table");
    }
    app_progress_start(&j->bar, "segment", j->a->quiet);
    segment_csv_header(j->table, &j->kinds);
    mdf_status status = segment_each(j, err);
    app_progress_finish(&j->bar);
    const bool whole = ferror(j->table) == 0;
    const mdf_status closed = fclose(j->table) == 0 && whole
                                  ? write_table(j, rows, len, &late)
                                  : mdf_fail(&late, MDF_ERR_NOMEM, "out of memory for the table");
    status = after(status, closed, &late, err);
    free(rows);
    if (j->a->json && (status == MDF_OK || json_array_size(j->list) > 0)) {
        const mdf_status printed = app_print_json(j->list, &late);
        return after(status, printed, &late, err);
    }
    json_decref(j->list);
    return status;
}

/* Kinds of masks, names of files; all that can be refused before the work. */
static mdf_status prepare(job *j, const mdf_engine *engine, const char *dir, mdf_error *err)
{
    j->kinds.count = mdf_engine_mask_count(engine);
    if (j->kinds.count == 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: this model draws no masks: its U-Net has no decoder "
                        "(unet_config.masks)",
                        dir);
    }
    MDF_TRY(segment_files_plan(&j->files, j->flags->out, j->pictures, err));
    for (int k = 0; k < j->kinds.count; k++) {
        j->kinds.name[k] = mdf_engine_mask(engine, k);
        j->files.kind[j->files.kinds++] = j->kinds.name[k];
    }
    if (j->flags->overlay) {
        j->files.kind[j->files.kinds++] = SEGMENT_OVERLAY;
    }
    return segment_files_check(&j->files, j->pictures, dir, j->flags->force, err);
}

static mdf_status segment(const app *a, const segment_flags *f, const app_pictures *pictures,
                          const char *dir, mdf_error *err)
{
    job j = {.a = a, .flags = f, .pictures = pictures};
    mdf_engine *engine = NULL;
    mdf_status status =
        mdf_engine_open(&engine,
                        &(mdf_engine_options){
                            .model_dir = dir, .threads = (int)a->threads, .labels_optional = true},
                        err);
    if (status == MDF_OK) {
        status = prepare(&j, engine, dir, err);
    }
    if (status == MDF_OK) {
        status = mdf_session_new(&j.session, engine, err);
    }
    if (status == MDF_OK) {
        mdf_session_watch(j.session, a->stop);
        status = segment_all(&j, err);
    }
    segment_files_free(&j.files);
    mdf_session_free(j.session);
    mdf_engine_close(engine);
    return status;
}

/* Masks among photographs would be taken for photographs by the next run. */
static mdf_status check_place(const app *a, const segment_flags *f, mdf_error *err)
{
    for (size_t i = 0; i < a->operands.count; i++) {
        const char *folder = a->operands.item[i];
        bool below = false;
        if (mdf_path_is_dir(folder)) {
            MDF_TRY(app_is_below(f->out, folder, &below, err));
        }
        if (below) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "--out %s lies in %s, whose pictures are read: the next run would "
                            "take masks for photographs",
                            f->out, folder);
        }
    }
    return MDF_OK;
}

static mdf_status run(app *a, const void *flags, mdf_error *err)
{
    const segment_flags *f = flags;
    app_pictures pictures;
    char *dir = NULL;
    MDF_TRY(check_place(a, f, err));
    MDF_TRY(app_find_file(f->model, "models", "", &dir, err));
    mdf_status status = app_pictures_list(&pictures, a, err);
    if (status == MDF_OK) {
        status = segment(a, f, &pictures, dir, err);
    }
    app_pictures_free(&pictures);
    mdf_free(dir);
    return status;
}

const app_command app_segment = {
    .name = "segment",
    .summary = "draw masks of photographs and measure them",
    .description =
        "Writes a mask (PNG of the photograph's size, 255 inside and 0 outside) for every kind\n"
        "that the model draws, DIR/NAME_KIND.png, and " SEGMENT_TABLE
        " with a row for each photograph.\n"
        "Of photographs with the same name the second is NAME-2. Where one of several can't be\n"
        "read, the others are segmented all the same, and the exit code is 1.\n"
        "\n"
        "The columns, which --json has as well: _px are pixels of the photograph; areas in "
        "percent\n"
        "are shares of the field of view's pixels; other lengths in percent are shares of its\n"
        "diameter, because a photograph does not say how many millimetres it shows; offsets are\n"
        "from its centre to the right and down. vessel_dimension is the box-counting dimension of\n"
        "the mask; cup_disc_ratio is vertical; a lesion is a connected area of at least a square\n"
        "of 1/500 of the diameter, and of 4 pixels. A cell is empty where nothing could be\n"
        "measured, and the column warnings says why, and what makes a number doubtful.\n"
        "docs/BIOMETRY.md has the definitions and what they must not be used for.\n"
        "\n"
        "Not a medical device: numbers are for research and must not guide care.",
    .example = "  mdf segment eye.jpg --out masks\n"
               "  mdf segment --model runs/first --overlay --out masks photos",
    .option = options,
    .option_count = APP_COUNT(options),
    .flags_bytes = sizeof(segment_flags),
    .operand = {"IMAGE", 1, 1000000,
                MDF_IMAGE_FORMATS " file, a folder with all that is below it, or - for one on "
                                  "standard input"},
    .run = run,
};
