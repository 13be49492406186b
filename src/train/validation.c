/* What the validation split says of a model. */
#include "train/validation.h"

#include <math.h>

#include "base/alloc.h"
#include "nn/answer.h"
#include "photo/signature.h"
#include "train/calibration.h"
#include "train/conformal.h"
#include "train/distance.h"
#include "train/metrics.h"

int mdf_count_classes(const mdf_samples *val)
{
    bool seen[MDF_MAX_CLASSES] = {false};
    int n = 0;
    for (size_t i = 0; i < val->count; i++) {
        const int label = val->item[i].label;
        n += label >= 0 && !seen[label] ? 1 : 0;
        if (label >= 0) {
            seen[label] = true;
        }
    }
    return n;
}

mdf_monitor mdf_monitor_possible(mdf_monitor wanted, const mdf_samples *val)
{
    return wanted == MDF_MONITOR_MACRO_AUC && mdf_count_classes(val) < 2 ? MDF_MONITOR_LOSS
                                                                         : wanted;
}

const char *mdf_monitor_name(mdf_monitor monitor)
{
    static const char *const name[] = {[MDF_MONITOR_MACRO_AUC] = "macro_auc",
                                       [MDF_MONITOR_BALANCED_ACCURACY] = "balanced_accuracy",
                                       [MDF_MONITOR_LOSS] = "loss",
                                       [MDF_MONITOR_DICE] = "dice"};
    return name[monitor];
}

/* [val.count]; the caller frees it. NULL = out of memory. */
static int *labels_of(const mdf_samples *val)
{
    int *label = mdf_alloc(val->count, sizeof *label);
    for (size_t i = 0; label != NULL && i < val->count; i++) {
        label[i] = val->item[i].label;
    }
    return label;
}

mdf_status mdf_validation_numbers(mdf_train_event *e, const mdf_scores *scores,
                                  const mdf_samples *val, mdf_error *err)
{
    const size_t n = val->count;
    const size_t k = scores->classes;
    int *label = labels_of(val);
    float *prob = mdf_alloc(n * k, sizeof *prob);
    mdf_metrics m = {0};
    mdf_status status = MDF_OK;
    if (label == NULL || prob == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the metrics");
    } else {
        mdf_softmax_temperature(prob, scores->score, n, k, 1);
        status = mdf_metrics_compute(
            &m,
            &(mdf_metrics_input){
                .prob = prob, .label = label, .n = n, .classes = k, .resamples = 1},
            err);
        e->val_loss = mdf_nll(scores->score, label, n, k, 1);
        e->val_auc = m.macro_auc;
        e->val_balanced_accuracy = m.balanced_accuracy;
        e->val_vessel_dice = mdf_mask_score_dice(&scores->masks.of[MDF_MASK_VESSEL]);
        e->val_dice = mdf_mask_scores_mean(&scores->masks);
    }
    mdf_metrics_free(&m);
    mdf_free(label);
    mdf_free(prob);
    return status;
}

double mdf_validation_score(mdf_monitor monitor, const mdf_train_event *e)
{
    double score = 0;
    switch (monitor) {
    case MDF_MONITOR_MACRO_AUC:
        score = e->val_auc;
        break;
    case MDF_MONITOR_BALANCED_ACCURACY:
        score = e->val_balanced_accuracy;
        break;
    case MDF_MONITOR_LOSS:
        score = -e->val_loss;
        break;
    case MDF_MONITOR_DICE:
        score = e->val_dice;
        break;
    }
    return isnan(score) ? -1e9 : score;
}

mdf_status mdf_validation_calibrate(mdf_config *c, const mdf_scores *scores, const mdf_samples *val,
                                    mdf_error *err)
{
    const size_t n = val->count;
    double temperature = 1;
    int *label = labels_of(val);
    float *prob = mdf_alloc(n * scores->classes, sizeof *prob);
    mdf_status status =
        label == NULL || prob == NULL
            ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the calibration")
            : mdf_temperature_fit(&temperature, scores->score, label, n, scores->classes, err);
    if (status == MDF_OK) {
        mdf_softmax_temperature(prob, scores->score, n, scores->classes, temperature);
        status = mdf_conformal_fit(&c->doubt, prob, label, n, scores->classes, err);
    }
    if (status == MDF_OK) {
        c->answer.temperature = temperature;
    }
    mdf_free(label);
    mdf_free(prob);
    return status;
}

mdf_status mdf_validation_pictures(mdf_config *c, const mdf_samples *const split[], size_t splits,
                                   double share, mdf_error *err)
{
    const int side = mdf_config_crop_side(c);
    size_t room = 1;
    size_t n = 0;
    for (size_t k = 0; k < splits; k++) {
        room += split[k]->count;
    }
    float *signature = mdf_alloc(room, MDF_SIGNATURE * sizeof *signature);
    mdf_status status = signature == NULL
                            ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the calibration")
                            : MDF_OK;
    for (size_t k = 0; k < splits; k++) {
        for (size_t i = 0; status == MDF_OK && i < split[k]->count; i++) {
            const mdf_image *crop = &split[k]->item[i].image;
            if (crop->rgb != NULL) {
                status = mdf_signature(signature + n++ * MDF_SIGNATURE, crop, side, err);
            }
        }
    }
    if (status == MDF_OK) {
        status = mdf_distance_fit(&c->doubt, signature, n, share, err);
    }
    mdf_free(signature);
    return status;
}
