/* Not a test: prints what mdf_fov_find() and mdf_quality_score() say of each file, one line of
 * tab-separated values. docs/QUALITY.md is made from it.
 *     find DIR -name '*.jpg' | measure_quality > table.tsv */
#include <stdio.h>
#include <string.h>

#include "photo/quality.h"

static void print_row(const char *path, const mdf_fov *fov, const mdf_quality *q)
{
    printf("%s\t%d\t%.3f\t%.3f\t%u\t%.4f\t%.2f\t%.4f\t%.3f", path, (int)fov->kind,
           (double)fov->visible, (double)q->score, q->reasons, (double)q->fundus_prob,
           (double)q->brightness, (double)q->overexposed, (double)q->sharpness);
    for (int i = 0; i < MDF_QF_COUNT; i++) {
        printf("\t%.5f", (double)q->feature[i]);
    }
    printf("\n");
}

int main(void)
{
    char path[4096];
    printf("path\tkind\tvisible\tscore\treasons\tfundus_prob\tbrightness\toverexposed\tsharpness\t"
           "circle\twarm_order\twarmth\tone_hue\troughness\tfine\tcontrast\tground\n");
    while (fgets(path, sizeof path, stdin) != NULL) {
        path[strcspn(path, "\n")] = '\0';
        mdf_image im = {0};
        mdf_fov fov;
        mdf_quality q;
        mdf_error err = {0};
        if (mdf_image_read(&im, path, &err) != MDF_OK || mdf_fov_find(&fov, &im, &err) != MDF_OK ||
            mdf_quality_score(&q, &im, &fov, &err) != MDF_OK) {
            fprintf(stderr, "%s\n", err.text);
        } else {
            print_row(path, &fov, &q);
        }
        mdf_image_free(&im);
    }
    return 0;
}
