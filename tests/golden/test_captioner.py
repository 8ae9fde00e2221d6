"""The original Caffe's captioners: scores, loss and the gradient of every weight, in float64."""

import pytest

from tests.golden.caffe import torch_order
from tests.golden.nets import check_gradients, golden_captioner
from tests.helpers.tolerance import assert_close_to_largest as check


@pytest.mark.parametrize("variant", ["1u", "2u", "2f"])
def test_captioner(variant: str) -> None:
    model, golden = golden_captioner(f"lrcn_{variant}_tiny", variant)
    words, cont = golden["input"].long(), golden["cont"]
    targets = golden["target"].long()
    image = golden["image_features"].double().requires_grad_()
    scores = model(words, cont, image)
    check(scores, golden["blob/predict"], "predict")
    check(scores.softmax(-1), golden["blob/probs"], "probs")
    loss = model.loss(words, cont, image, targets)
    check(loss, golden["loss"], "loss")
    # Caffe's loss_weight.
    (golden["loss_weight"] * loss).backward()
    assert image.grad is not None
    check(image.grad, golden["diff/image_features"], "gradient of the image")
    check_gradients(model.embedding, golden, "embedding")
    check_gradients(model.predict, golden, "predict")
    for number, lstm in enumerate(model.layers, start=1):
        # Caffe's blobs: W_xc, b_c, with a static input W_xc_static, W_hc.
        names = [name for name, parameter in lstm.named_parameters() if parameter.requires_grad]
        order = {"weight_ih_l0": 0, "bias_ih_l0": 1, "weight_is_l0": 2, "weight_hh_l0": 3}
        for index, name in enumerate(sorted(names, key=order.__getitem__)):
            gradient = lstm.get_parameter(name).grad
            assert gradient is not None
            check(gradient, torch_order(golden[f"grad/lstm{number}/{index}"]), f"{number}.{name}")
