#!/bin/sh
# Repeats the training of this model: sh examples/srgan/repeat.sh, in the root of a built checkout.
# Wants apt-get and dpkg-deb for the photographs, pip for VGG16's weights, and npm run setup:torch.
set -eu
node examples/srresnet-mse/collect.mjs out/free-photographs examples/srgan/photographs.csv
cp examples/photographs/train/grace-hopper.jpg out/free-photographs
npx fourfold prepare --images out/free-photographs --out out/free-shards --tile 480
mkdir -p out/validation
for name in colosseum hawa-mahal hedgehog raccoon red-panda; do
  cp "examples/photographs/held-out/$name.jpg" out/validation
done
npx fourfold vgg fetch --store out/weights
npx fourfold train examples/srgan/config.yaml
best=$(ls -d out/store/runs/srgan/checkpoints/* | tail -n 1)
node examples/srresnet-mse/ship.mjs "$best" examples/srgan
node examples/srgan/curves.mjs "$best"
