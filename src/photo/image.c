/* Pictures through libvips: five loaders, limits from the header, errors as sentences. */
#include "photo/image.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vips/vips.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "photo/gif.h"

enum { STRIP_ROWS = 64 }; /* rows asked of libvips at a time */

/* ---- libvips, once per process ----------------------------------------------------------------
 */

/* libvips is one per process, so this is too: the only static state of this file. */
static pthread_once_t vips_once = PTHREAD_ONCE_INIT;
static int vips_start_result;

/* A library does not print; what matters comes back as an error. */
static void drop_message(const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer p)
{
    (void)domain;
    (void)level;
    (void)text;
    (void)p;
}

static void start_vips(void)
{
    g_log_set_handler("VIPS", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG,
                      drop_message, NULL);
    vips_start_result = vips_init("mdf");
    if (vips_start_result != 0) {
        return;
    }
#if VIPS_MAJOR_VERSION > 8 || VIPS_MINOR_VERSION >= 13
    vips_block_untrusted_set(TRUE);
#endif
    vips_cache_set_max(0);   /* no picture outlives its call */
    vips_concurrency_set(1); /* the compute threads belong to OpenMP */
}

static mdf_status ready(mdf_error *err)
{
    if (pthread_once(&vips_once, start_vips) != 0 || vips_start_result != 0) {
        return mdf_fail(err, MDF_ERR_IO, "libvips cannot start");
    }
    return MDF_OK;
}

/* Last words of libvips as part of a sentence: the first line, without the "VipsJpeg: " before it
 * and the full stop behind it. The buffer is shared by all threads, so with two failures at the
 * same time the reason may be the other picture's; the file name is always right. */
static void take_reason(char *out, size_t out_bytes)
{
    char *all = vips_error_buffer_copy();
    const char *line = all == NULL ? "" : all;
    const char *colon = strstr(line, ": ");
    const char *newline = strchr(line, '\n');
    if (colon != NULL && (newline == NULL || colon < newline)) {
        line = colon + 2;
    }
    size_t n = strcspn(line, "\n");
    while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '.')) {
        n--;
    }
    n = n < out_bytes ? n : out_bytes - 1;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)line[i];
        out[i] = c < 0x20 || c == 0x7F ? ' ' : line[i];
    }
    out[n] = '\0';
    g_free(all);
}

/* A TIFF that libtiff has no decoder for is not damaged; out gets the compression's name. */
static bool is_unread_compression(const char *reason, char *out, size_t out_bytes)
{
    static const char begin[] = "Compression scheme ";
    if (strncmp(reason, begin, sizeof begin - 1) != 0) {
        return false;
    }
    const long scheme = strtol(reason + sizeof begin - 1, NULL, 10);
    const bool jpeg2000 = scheme == 33003 || scheme == 33005 || scheme == 34712;
    const char *known = jpeg2000 ? "JPEG 2000, " : scheme == 50002 ? "JPEG XL, " : "";
    (void)snprintf(out, out_bytes, "%sscheme %ld of TIFF", known, scheme);
    return true;
}

static mdf_status vips_failure(const char *name, const char *what, mdf_error *err)
{
    char reason[200];
    char scheme[64];
    take_reason(reason, sizeof reason);
    if (is_unread_compression(reason, scheme, sizeof scheme)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: its compression (%s) is not read", name, scheme);
    }
    if (reason[0] == '\0') {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s", name, what);
    }
    return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s (%s)", name, what, reason);
}

/* ---- loading ----------------------------------------------------------------------------------
 */

/* "memory": decoded into memory on first use, as rotation reads it out of order. fail_on ERROR
 * includes truncation but not the harmless oddities that some camera software writes. */
static int open_header(mdf_image_format format, const void *bytes, size_t len, VipsImage **out)
{
    void *buf = (void *)(uintptr_t)bytes; /* libvips reads only */
    switch (format) {
    case MDF_IMAGE_JPEG:
        return vips_jpegload_buffer(buf, len, out, "memory", TRUE, "fail_on", VIPS_FAIL_ON_ERROR,
                                    NULL);
    case MDF_IMAGE_PNG:
        return vips_pngload_buffer(buf, len, out, "memory", TRUE, "fail_on", VIPS_FAIL_ON_ERROR,
                                   NULL);
    case MDF_IMAGE_TIFF:
        return vips_tiffload_buffer(buf, len, out, "memory", TRUE, "fail_on", VIPS_FAIL_ON_ERROR,
                                    NULL);
    case MDF_IMAGE_WEBP:
        return vips_webpload_buffer(buf, len, out, "memory", TRUE, "fail_on", VIPS_FAIL_ON_ERROR,
                                    NULL);
    case MDF_IMAGE_GIF:
        return vips_gifload_buffer(buf, len, out, "memory", TRUE, "fail_on", VIPS_FAIL_ON_ERROR,
                                   NULL);
    case MDF_IMAGE_UNKNOWN:
        break;
    }
    return -1;
}

static mdf_status check_size(int64_t width, int64_t height, const char *name, mdf_error *err)
{
    if (width < 1 || height < 1) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: the picture has no pixels", name);
    }
    if (width > MDF_MAX_IMAGE_SIDE || height > MDF_MAX_IMAGE_SIDE ||
        (size_t)width * (size_t)height > MDF_MAX_IMAGE_PIXELS) {
        return mdf_fail(err, MDF_ERR_LIMIT,
                        "%s: the picture claims %lld x %lld pixels; at most %d a side and %zu "
                        "million in all are read",
                        name, (long long)width, (long long)height, MDF_MAX_IMAGE_SIDE,
                        MDF_MAX_IMAGE_PIXELS / 1000000);
    }
    return MDF_OK;
}

static mdf_status check_header(const VipsImage *im, const char *name, mdf_error *err)
{
    MDF_TRY(check_size(im->Xsize, im->Ysize, name, err));
    if (im->BandFmt != VIPS_FORMAT_UCHAR && im->BandFmt != VIPS_FORMAT_USHORT) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: only 8 and 16-bit integer pixels are read", name);
    }
    if (im->Bands < 1 || im->Bands > 5) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: a picture of %d channels is not a photograph",
                        name, im->Bands);
    }
    return MDF_OK;
}

/* The first picture of a GIF alone, in memory of its own: libvips would look through the frames of
 * all others first. */
static mdf_status first_frame(uint8_t **copy, size_t *copy_len, const uint8_t *bytes, size_t len,
                              const char *name, mdf_error *err)
{
    size_t end = 0;
    MDF_TRY(mdf_gif_first_frame(&end, bytes, len, name, err));
    uint8_t *own = mdf_alloc_raw(end + 1);
    if (own == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for the picture", name);
    }
    memcpy(own, bytes, end);
    own[end] = MDF_GIF_TRAILER;
    *copy = own;
    *copy_len = end + 1;
    return MDF_OK;
}

static mdf_status check_bytes(mdf_image_format *format, const void *bytes, size_t len,
                              const char *name, mdf_error *err)
{
    if (len == 0) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: the file is empty", name);
    }
    if (len > MDF_MAX_IMAGE_BYTES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: larger than %zu MiB", name,
                        MDF_MAX_IMAGE_BYTES >> 20);
    }
    *format = mdf_image_sniff(bytes, len);
    if (*format == MDF_IMAGE_UNKNOWN) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: not a " MDF_IMAGE_FORMATS " picture (it looks like %s)", name,
                        mdf_image_looks_like(bytes, len));
    }
    return MDF_OK;
}

/* Opens the header only: nothing is decoded until pixels are asked for. *copy: NULL, or bytes that
 * must live as long as *out. */
static mdf_status open_picture(VipsImage **out, uint8_t **copy, const void *bytes, size_t len,
                               const char *name, mdf_error *err)
{
    mdf_image_format format = MDF_IMAGE_UNKNOWN;
    MDF_TRY(check_bytes(&format, bytes, len, name, err));
    MDF_TRY(ready(err));
    if (format == MDF_IMAGE_GIF) {
        MDF_TRY(first_frame(copy, &len, bytes, len, name, err));
        bytes = *copy;
    }
    vips_error_clear();
    VipsImage *im = NULL;
    mdf_status status = MDF_OK;
    if (open_header(format, bytes, len, &im) != 0) {
        char what[64];
        snprintf(what, sizeof what, "the %s header is damaged or cut short",
                 mdf_image_format_name(format));
        status = vips_failure(name, what, err);
    } else {
        status = check_header(im, name, err);
    }
    if (status != MDF_OK) {
        if (im != NULL) {
            g_object_unref(im);
        }
        mdf_free(*copy);
        *copy = NULL;
        return status;
    }
    *out = im;
    return MDF_OK;
}

/* ---- colour -----------------------------------------------------------------------------------
 */

/* Takes *im and leaves the next step there; 0 or -1 as in libvips. */
static int replace(VipsImage **im, int failed, VipsImage **next)
{
    if (failed == 0) {
        g_object_unref(*im);
        *im = *next;
    }
    return failed;
}

/* Black is the ground of fundus photographs, and what a disc was cut out of. */
static int lay_over_black(VipsImage **im)
{
    if (!vips_image_hasalpha(*im)) {
        return 0;
    }
    const bool ink = (*im)->Type == VIPS_INTERPRETATION_CMYK;
    const double key = !ink ? 0.0 : (*im)->BandFmt == VIPS_FORMAT_USHORT ? 65535.0 : 255.0;
    VipsArrayDouble *background =
        ink ? vips_array_double_newv(4, 0.0, 0.0, 0.0, key) : vips_array_double_newv(1, key);
    VipsImage *next = NULL;
    const int failed = vips_flatten(*im, &next, "background", background, NULL);
    vips_area_unref((VipsArea *)background);
    return replace(im, failed, &next);
}

static int to_8_bits(VipsImage **im)
{
    VipsImage *next = NULL;
    const int failed = vips_cast(*im, &next, VIPS_FORMAT_UCHAR, NULL);
    return replace(im, failed, &next);
}

/* Inks without a profile, as Pillow has them: what the ink leaves of white, (255 - ink) (255 - key)
 * / 255, rounded. */
static int inks_to_srgb(VipsImage **im)
{
    VipsImage *step[8] = {NULL};
    const int shift = (*im)->BandFmt == VIPS_FORMAT_USHORT ? 8 : 0;
    const int failed = vips_rshift_const1(*im, &step[0], shift, NULL) != 0 ||
                       vips_cast(step[0], &step[1], VIPS_FORMAT_UCHAR, NULL) != 0 ||
                       vips_invert(step[1], &step[2], NULL) != 0 ||
                       vips_extract_band(step[2], &step[3], 0, "n", 3, NULL) != 0 ||
                       vips_extract_band(step[2], &step[4], 3, NULL) != 0 ||
                       vips_multiply(step[3], step[4], &step[5], NULL) != 0 ||
                       vips_linear1(step[5], &step[6], 1.0 / 255, 0, NULL) != 0 ||
                       vips_rint(step[6], &step[7], NULL) != 0;
    VipsImage *next = NULL;
    const int made =
        failed ? -1 : vips_copy(step[7], &next, "interpretation", VIPS_INTERPRETATION_sRGB, NULL);
    for (size_t i = 0; i < sizeof step / sizeof step[0]; i++) {
        if (step[i] != NULL) {
            g_object_unref(step[i]);
        }
    }
    return replace(im, made, &next);
}

/* Builds the chain of operations to 8-bit sRGB; no pixel is computed here, so that a failure of the
 * profile step is the profile's fault and the picture is still worth showing without it. */
static int to_srgb(VipsImage **im)
{
    VipsImage *next = NULL;
    if (lay_over_black(im) != 0) {
        return -1;
    }
    if (vips_image_get_typeof(*im, VIPS_META_ICC_NAME) != 0) {
        const int failed = vips_icc_transform(*im, &next, "srgb", "embedded", TRUE, "intent",
                                              VIPS_INTENT_PERCEPTUAL, "depth", 8, NULL);
        if (replace(im, failed, &next) != 0) {
            vips_error_clear();
        }
    }
    if ((*im)->Type == VIPS_INTERPRETATION_CMYK && (*im)->Bands == 4) {
        return inks_to_srgb(im) != 0 ? -1 : to_8_bits(im);
    }
    next = NULL;
    const int failed = vips_colourspace(*im, &next, VIPS_INTERPRETATION_sRGB, NULL);
    if (replace(im, failed, &next) != 0) {
        return -1;
    }
    return to_8_bits(im);
}

/* 16 bits, no colour management: a value stays what it is in the file. */
static int to_levels(VipsImage **im)
{
    VipsImage *next = NULL;
    const int failed = vips_cast(*im, &next, VIPS_FORMAT_USHORT, NULL);
    return replace(im, failed, &next);
}

static int turn_upright(VipsImage **im)
{
    VipsImage *next = NULL;
    const int failed = vips_autorot(*im, &next, NULL);
    return replace(im, failed, &next);
}

/* ---- pixels -----------------------------------------------------------------------------------
 */

/* What a row of the pipeline's end is copied into. */
typedef void take_row_fn(void *out, const VipsPel *src, int y, const VipsImage *im);

static void take_colours(void *out, const VipsPel *src, int y, const VipsImage *im)
{
    const size_t row_bytes = (size_t)im->Xsize * 3;
    memcpy(((mdf_image *)out)->rgb + (size_t)y * row_bytes, src, row_bytes);
}

/* The largest colour channel, so that a mask drawn in red keeps its value. */
static void take_levels(void *out, const VipsPel *src, int y, const VipsImage *im)
{
    mdf_levels *levels = out;
    const uint16_t *from = (const uint16_t *)(const void *)src;
    uint16_t *to = levels->px + (size_t)y * (size_t)im->Xsize;
    const int bands = im->Bands;
    const int colours = bands == 2 ? 1 : bands >= 3 ? 3 : bands;
    for (int x = 0; x < im->Xsize; x++, from += bands) {
        uint16_t best = from[0];
        for (int c = 1; c < colours; c++) {
            best = from[c] > best ? from[c] : best;
            levels->is_coloured = levels->is_coloured || from[c] != from[0];
        }
        to[x] = best;
    }
}

static const VipsPel *region_row(const VipsRegion *region, int y, size_t pixel_bytes)
{
    return region->data + (ptrdiff_t)(y - region->valid.top) * region->bpl -
           (ptrdiff_t)pixel_bytes * region->valid.left;
}

/* Runs the pipeline. */
static int read_pixels(VipsImage *im, take_row_fn *take, void *out)
{
    VipsRegion *region = vips_region_new(im);
    const size_t pixel_bytes = (size_t)im->Bands * (im->BandFmt == VIPS_FORMAT_USHORT ? 2 : 1);
    int failed = region == NULL ? -1 : 0;
    for (int y = 0; failed == 0 && y < im->Ysize; y += STRIP_ROWS) {
        const int rows = im->Ysize - y < STRIP_ROWS ? im->Ysize - y : STRIP_ROWS;
        const VipsRect strip = {.left = 0, .top = y, .width = im->Xsize, .height = rows};
        failed = vips_region_prepare(region, &strip);
        for (int r = 0; failed == 0 && r < rows; r++) {
            take(out, region_row(region, y + r, pixel_bytes), y + r, im);
        }
    }
    if (region != NULL) {
        g_object_unref(region);
    }
    return failed;
}

static mdf_status convert(VipsImage **im, int to_pixels(VipsImage **), const char *name,
                          mdf_error *err)
{
    if (to_pixels(im) != 0 || turn_upright(im) != 0) {
        return vips_failure(name, "the colours of the picture cannot be converted", err);
    }
    if (to_pixels == to_srgb && (*im)->Bands != 3) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: %d channels do not make a colour picture", name,
                        (*im)->Bands);
    }
    return MDF_OK;
}

/* px: out's memory, NULL when there was none. */
static mdf_status fill(VipsImage *im, take_row_fn *take, void *out, const void *px,
                       const char *name, mdf_error *err)
{
    if (px == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for %d x %d pixels", name, im->Xsize,
                        im->Ysize);
    }
    return read_pixels(im, take, out) == 0
               ? MDF_OK
               : vips_failure(name, "the picture is damaged or cut short", err);
}

/* Frees what open_picture() made and what libvips keeps for this thread. */
static void close_picture(VipsImage *im, uint8_t *copy)
{
    g_object_unref(im);
    mdf_free(copy);
    vips_error_clear();
    vips_thread_shutdown();
}

mdf_status mdf_image_decode(mdf_image *out, const void *bytes, size_t len, const char *name,
                            mdf_error *err)
{
    VipsImage *im = NULL;
    uint8_t *copy = NULL;
    mdf_image found = {0};
    name = name == NULL ? "picture" : name;
    MDF_TRY(open_picture(&im, &copy, bytes, len, name, err));
    mdf_status status = convert(&im, to_srgb, name, err);
    if (status == MDF_OK) {
        found = (mdf_image){.width = im->Xsize, .height = im->Ysize};
        found.rgb = mdf_alloc((size_t)im->Xsize * (size_t)im->Ysize, 3);
        status = fill(im, take_colours, &found, found.rgb, name, err);
    }
    close_picture(im, copy);
    if (status != MDF_OK) {
        mdf_image_free(&found);
        return status;
    }
    *out = found;
    return MDF_OK;
}

mdf_status mdf_levels_decode(mdf_levels *out, const void *bytes, size_t len, const char *name,
                             mdf_error *err)
{
    VipsImage *im = NULL;
    uint8_t *copy = NULL;
    mdf_levels found = {0};
    name = name == NULL ? "mask" : name;
    MDF_TRY(open_picture(&im, &copy, bytes, len, name, err));
    found.has_palette = vips_image_get_typeof(im, "palette-bit-depth") != 0 ||
                        vips_image_get_typeof(im, "palette") != 0; /* libvips 8.15 and later */
    mdf_status status = convert(&im, to_levels, name, err);
    if (status == MDF_OK) {
        found.width = im->Xsize;
        found.height = im->Ysize;
        found.px = mdf_alloc((size_t)im->Xsize * (size_t)im->Ysize, sizeof *found.px);
        status = fill(im, take_levels, &found, found.px, name, err);
    }
    close_picture(im, copy);
    if (status != MDF_OK) {
        mdf_levels_free(&found);
        return status;
    }
    *out = found;
    return MDF_OK;
}

mdf_status mdf_image_read(mdf_image *out, const char *path, mdf_error *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    MDF_TRY(mdf_file_read(path, MDF_MAX_IMAGE_BYTES, &bytes, &len, err));
    const mdf_status status = mdf_image_decode(out, bytes, len, path, err);
    mdf_free(bytes);
    return status;
}

void mdf_image_free(mdf_image *im)
{
    if (im != NULL) {
        mdf_free(im->rgb);
        *im = (mdf_image){0};
    }
}

void mdf_grey_free(mdf_grey *im)
{
    if (im != NULL) {
        mdf_free(im->px);
        *im = (mdf_grey){0};
    }
}

void mdf_levels_free(mdf_levels *l)
{
    if (l != NULL) {
        mdf_free(l->px);
        *l = (mdf_levels){0};
    }
}

mdf_status mdf_image_new(mdf_image *out, int width, int height, mdf_error *err)
{
    MDF_TRY(check_size(width, height, "new picture", err));
    uint8_t *rgb = mdf_alloc((size_t)width * (size_t)height, 3);
    if (rgb == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a picture of %d x %d pixels", width,
                        height);
    }
    *out = (mdf_image){.width = width, .height = height, .rgb = rgb};
    return MDF_OK;
}

/* ---- PNG out ----------------------------------------------------------------------------------
 */

mdf_status mdf_png_encode(uint8_t **bytes, size_t *len, const uint8_t *px, int width, int height,
                          int channels, mdf_error *err)
{
    if (channels != 1 && channels != 3) {
        return mdf_fail(err, MDF_ERR_ARG, "PNG: %d channels; 1 or 3 are written", channels);
    }
    MDF_TRY(check_size(width, height, "PNG", err));
    MDF_TRY(ready(err));
    const size_t px_bytes = (size_t)width * (size_t)height * (size_t)channels;
    void *png = NULL;
    size_t png_bytes = 0;
    VipsImage *im =
        vips_image_new_from_memory(px, px_bytes, width, height, channels, VIPS_FORMAT_UCHAR);
    if (im != NULL) {
        im->Type = channels == 3 ? VIPS_INTERPRETATION_sRGB : VIPS_INTERPRETATION_B_W;
    }
    mdf_status status = MDF_OK;
    if (im == NULL || vips_pngsave_buffer(im, &png, &png_bytes, "compression", 6, NULL) != 0) {
        status = vips_failure("PNG", "cannot be encoded", err);
    } else {
        uint8_t *copy = mdf_alloc(png_bytes, 1);
        if (copy == NULL) {
            status =
                mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a PNG of %zu bytes", png_bytes);
        } else {
            memcpy(copy, png, png_bytes);
            *bytes = copy;
            *len = png_bytes;
        }
    }
    g_free(png);
    if (im != NULL) {
        g_object_unref(im);
    }
    vips_error_clear();
    vips_thread_shutdown();
    return status;
}

mdf_status mdf_png_write(const char *path, const uint8_t *px, int width, int height, int channels,
                         mdf_error *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    const mdf_status encoded = mdf_png_encode(&bytes, &len, px, width, height, channels, err);
    if (encoded != MDF_OK) {
        return mdf_fail_prefix(err, encoded, path);
    }
    const mdf_status status = mdf_file_write(path, bytes, len, err);
    mdf_free(bytes);
    return status;
}
