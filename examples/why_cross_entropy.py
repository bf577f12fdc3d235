"""Why is the gradient of softmax with cross-entropy just y′ − y?  Read from top to bottom, and run it.

python examples/why_cross_entropy.py
"""

import sys

import numpy as np

import tinygrad_cls as tg

sys.stdout.reconfigure(encoding="utf-8")  # ′ and − also where the system writes files in another encoding

# A network has looked at a picture and answers with three raw outputs, one for each class: the logits.
z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")

# The picture belongs to class 0. Coded one-hot, no class is "larger" than another.
y = tg.one_hot(0, num_classes=3)
y.name = "y"

# Softmax makes the outputs comparable with y: positive, and summing to 1.
e = tg.exp(z)
p = e / e.sum()
p.name = "y′"
print("y′ =", p.numpy().round(4), " sum:", p.sum().item())

# Cross-entropy: e = −Σ y log y′. Here it is minus the logarithm of the probability of class 0.
loss = -(y * tg.log(p)).sum()
loss.name = "loss"
print("loss =", round(loss.item(), 4), "= −log", round(p[0].item(), 4))

# Every tensor remembers the operation that made it, so the gradient is found by walking back through them.
loss.backward()

# A page of algebra says that this is y′ − y. The computation says so, too:
print("\nz.grad =", z.grad.numpy().round(4))
print("y′ − y =", (p.numpy() - y.numpy()).round(4))
print("largest difference:", np.abs(z.grad.numpy() - (p.numpy() - y.numpy())).max())

# How did it come about? Look at the gradients on the way back, from the last line up:
# log turns 1 into y / y′, and the softmax multiplies by y′ again. The two cancel.
print("\n" + tg.draw(loss).text)

# The same as a proof: the chain rule first, then algebra, each step checked on these numbers.
print("\n" + str(tg.explain(loss, wrt=z)))

# Squared error lacks the logarithm, so nothing cancels the factor y′: far from the target, where y′ of the true
# class is almost 0, almost no gradient is left. Cross-entropy keeps pulling.
print("\nlogits              |gradient| of squared error   |gradient| of cross-entropy")
for distance in (0.0, 5.0, 10.0, 20.0):
    far = tg.Tensor([0 - distance, distance, 0.0])
    squared = tg.grad(lambda z: ((tg.softmax(z) - y) ** 2).sum())(far)
    entropy = tg.grad(lambda z: tg.cross_entropy(z, 0))(far)
    lengths = [np.linalg.norm(gradient.numpy()) for gradient in (squared, entropy)]
    print(f"{far.tolist()!s:19} {lengths[0]:<29.3g} {lengths[1]:.3g}")

# The same as pictures: with gradients beside the values, and the library's own softmax folded into one box.
tg.draw(loss).save("why_cross_entropy.svg")
tg.draw(tg.cross_entropy(z, 0), expand=1, constants=False).save("why_cross_entropy_folded.svg")
print("\nPictures: why_cross_entropy.svg, why_cross_entropy_folded.svg")
