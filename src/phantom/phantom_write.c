/* Writes phantoms as a data set folder: PNG files first, the table last and at once. */
#include <cairo.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/strbuf.h"
#include "phantom/phantom.h"

typedef struct writer {
    const char *dir;
    int side;
    mdf_phantom_case *one;
    mdf_phantom_split *split; /* [patients] */
    uint8_t *rgb;             /* [S,S,3] */
    mdf_phantom_masks masks;  /* [S,S] each */
    mdf_strbuf table;
} writer;

static cairo_status_t to_stream(void *stream, const unsigned char *data, unsigned int len)
{
    return fwrite(data, 1, len, stream) == len ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

static void fill_surface(cairo_surface_t *surface, const uint8_t *pixels, int side, int channels)
{
    cairo_surface_flush(surface);
    unsigned char *data = cairo_image_surface_get_data(surface);
    const size_t stride = (size_t)cairo_image_surface_get_stride(surface);
    for (size_t y = 0; y < (size_t)side; y++) {
        const uint8_t *row = pixels + y * (size_t)side * (size_t)channels;
        if (channels == 1) {
            memcpy(data + y * stride, row, (size_t)side);
            continue;
        }
        for (size_t x = 0; x < (size_t)side; x++) {
            const uint32_t word =
                (uint32_t)row[3 * x] << 16 | (uint32_t)row[3 * x + 1] << 8 | row[3 * x + 2];
            memcpy(data + y * stride + 4 * x, &word, sizeof word);
        }
    }
    cairo_surface_mark_dirty(surface);
}

/* pixels [S,S,channels], channels 3 (RGB) or 1 (grey). */
static mdf_status write_png(const char *path, const uint8_t *pixels, int side, int channels,
                            mdf_error *err)
{
    cairo_surface_t *surface = cairo_image_surface_create(
        channels == 3 ? CAIRO_FORMAT_RGB24 : CAIRO_FORMAT_A8, side, side);
    if (cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS) {
        cairo_surface_destroy(surface);
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for the picture", path);
    }
    fill_surface(surface, pixels, side, channels);
    mdf_file_writer w = {0};
    mdf_status status = mdf_file_writer_open(&w, path, err);
    if (status == MDF_OK) {
        const cairo_status_t drawn =
            cairo_surface_write_to_png_stream(surface, to_stream, w.stream);
        /* A failed write is the stream's error, and commit reports it with its reason. */
        if (drawn != CAIRO_STATUS_SUCCESS && drawn != CAIRO_STATUS_WRITE_ERROR) {
            mdf_file_writer_abort(&w);
            status = mdf_fail(err, MDF_ERR_IO, "%s: %s", path, cairo_status_to_string(drawn));
        } else {
            status = mdf_file_writer_commit(&w, err);
        }
    }
    cairo_surface_destroy(surface);
    return status;
}

static mdf_status write_picture(const writer *w, const char *folder, const uint8_t *pixels,
                                int channels, mdf_error *err)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s/%s_%s.png", folder, w->one->patient_id,
                   w->one->eye == MDF_PHANTOM_RIGHT ? "right" : "left");
    char *path = mdf_path_join(w->dir, name);
    if (path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a file name in %s", w->dir);
    }
    const mdf_status status = write_png(path, pixels, w->side, channels, err);
    mdf_free(path);
    return status;
}

enum { MASKS = 4 };

static const char *const mask_folders[MASKS] = {"vessel_masks", "lesion_masks", "disc_masks",
                                                "cup_masks"};

static void add_row(writer *w)
{
    static const char *const splits[] = {"train", "val", "test"};
    const mdf_phantom_case *c = w->one;
    const char *eye = c->eye == MDF_PHANTOM_RIGHT ? "right" : "left";
    /* Sentences hold commas but no quotes, so quoting them is enough. */
    mdf_strbuf_printf(&w->table, "images/%s_%s.png,%s,%s,%s,%s,%d,%s,\"%s\",", c->patient_id, eye,
                      mdf_phantom_label_name(c->label), c->patient_id, splits[w->split[c->patient]],
                      eye, c->age, c->female ? "Female" : "Male", c->text);
    for (size_t k = 0; k < MASKS; k++) {
        mdf_strbuf_printf(&w->table, "%s/%s_%s.png%s", mask_folders[k], c->patient_id, eye,
                          k + 1 < MASKS ? "," : "\n");
    }
}

static mdf_status write_cases(writer *w, const mdf_phantom_options *opt, uint32_t patients,
                              mdf_phantom_progress progress, void *user, mdf_error *err)
{
    for (uint32_t i = 0; i < 2 * patients; i++) {
        mdf_phantom_plan(w->one, opt, i);
        const uint8_t *const masks[MASKS] = {w->masks.vessel, w->masks.lesion, w->masks.disc,
                                             w->masks.cup};
        MDF_TRY(mdf_phantom_render(w->one, w->side, w->rgb, &w->masks, err));
        MDF_TRY(write_picture(w, "images", w->rgb, 3, err));
        for (size_t k = 0; k < MASKS; k++) {
            MDF_TRY(write_picture(w, mask_folders[k], masks[k], 1, err));
        }
        add_row(w);
        if (progress != NULL && !progress(user, i + 1, 2 * patients)) {
            return mdf_fail(err, MDF_ERR_STOPPED, "%s: stopped after %u of %u phantoms", w->dir,
                            i + 1, 2 * patients);
        }
    }
    return MDF_OK;
}

static mdf_status check_options(const mdf_phantom_options *opt, mdf_error *err)
{
    if (opt->patients > MDF_PHANTOM_MAX_PATIENTS) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%u phantom patients are more than %d", opt->patients,
                        MDF_PHANTOM_MAX_PATIENTS);
    }
    if (opt->side_px != 0 &&
        (opt->side_px < MDF_PHANTOM_MIN_SIDE_PX || opt->side_px > MDF_PHANTOM_MAX_SIDE_PX)) {
        return mdf_fail(err, MDF_ERR_ARG, "a phantom's side of %d pixels is not in %d..%d",
                        opt->side_px, MDF_PHANTOM_MIN_SIDE_PX, MDF_PHANTOM_MAX_SIDE_PX);
    }
    for (size_t i = 0; i < opt->label_count; i++) {
        if ((unsigned)opt->labels[i] >= MDF_PHANTOM_LABEL_COUNT) {
            return mdf_fail(err, MDF_ERR_ARG, "phantom label %d is unknown", (int)opt->labels[i]);
        }
    }
    return MDF_OK;
}

/* Makes the folders and refuses to mix two data sets. */
static mdf_status prepare_folder(const char *dir, mdf_error *err)
{
    const char *const folders[] = {"images", mask_folders[0], mask_folders[1], mask_folders[2],
                                   mask_folders[3]};
    char *table = mdf_path_join(dir, "metadata.csv");
    if (table == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a file name in %s", dir);
    }
    const bool taken = mdf_path_exists(table);
    mdf_free(table);
    if (taken) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: already holds a data set (metadata.csv); choose another folder", dir);
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char *path = mdf_path_join(dir, folders[i]);
        if (path == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a file name in %s", dir);
        }
        const mdf_status status = mdf_make_dirs(path, err);
        mdf_free(path);
        MDF_TRY(status);
    }
    return MDF_OK;
}

static mdf_status write_table(const writer *w, mdf_error *err)
{
    if (w->table.failed) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the table of %s", w->dir);
    }
    char *path = mdf_path_join(w->dir, "metadata.csv");
    if (path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a file name in %s", w->dir);
    }
    const mdf_status status = mdf_file_write(path, w->table.data, w->table.len, err);
    mdf_free(path);
    return status;
}

mdf_status mdf_phantom_write(const char *dir, const mdf_phantom_options *opt,
                             mdf_phantom_progress progress, void *user, mdf_error *err)
{
    MDF_TRY(check_options(opt, err));
    const uint32_t patients = opt->patients != 0 ? opt->patients : MDF_PHANTOM_PATIENTS;
    writer w = {.dir = dir, .side = opt->side_px != 0 ? opt->side_px : MDF_PHANTOM_SIDE_PX};
    const size_t pixels = (size_t)w.side * (size_t)w.side;
    w.table = mdf_strbuf_new(MDF_MAX_TABLE_BYTES);
    w.one = mdf_alloc(1, sizeof *w.one);
    w.split = mdf_alloc(patients, sizeof *w.split);
    w.rgb = mdf_alloc(pixels, 3);
    uint8_t *masks = mdf_alloc(pixels, MASKS);

    mdf_status status = MDF_OK;
    if (w.one == NULL || w.split == NULL || w.rgb == NULL || masks == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for phantoms of %d x %d pixels",
                          w.side, w.side);
        goto done;
    }
    w.masks = (mdf_phantom_masks){masks, masks + pixels, masks + 2 * pixels, masks + 3 * pixels};
    mdf_strbuf_puts(&w.table, "file_name,label,patient_id,split,eye,age,sex,text,vessel_mask,"
                              "lesion_mask,disc_mask,cup_mask\n");
    status = mdf_phantom_splits(opt, w.split, err);
    if (status == MDF_OK) {
        status = prepare_folder(dir, err);
    }
    if (status == MDF_OK) {
        status = write_cases(&w, opt, patients, progress, user, err);
    }
    if (status == MDF_OK) {
        status = write_table(&w, err);
    }
done:
    mdf_strbuf_free(&w.table);
    mdf_free(masks);
    mdf_free(w.rgb);
    mdf_free(w.split);
    mdf_free(w.one);
    return status;
}
