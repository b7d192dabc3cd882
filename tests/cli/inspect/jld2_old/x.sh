# Texts and union types as JLD2 wrote them before 0.2.
cd $DATA/jld2/by_version/0.1.14 && ckpt inspect unions.jld2 && cd - > /dev/null
