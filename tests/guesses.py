"""Words that people who know PyTorch try: each is there, or is answered with ours. By what they are tried on."""

SGD = "tg.optim.SGD(tg.nn.Linear(2, 2).parameters(), lr=0.1)"
GUESSES = {
    "tg.Tensor([1.0, 2.0])": """
        view view_as reshape_as squeeze unsqueeze expand permute transpose t swapaxes flatten contiguous clone
        detach data grad_fn is_leaf retain_grad register_hook requires_grad_ zero_ fill_ copy_ to cpu cuda float
        double half long int bool type numel nelement size dim ndimension item tolist numpy mean sum std var max min
        argmax argmin prod cumsum cumprod norm abs neg exp log log2 log10 sqrt rsqrt pow sin cos tan tanh sigmoid
        relu softmax log_softmax clamp clamp_ clip round floor ceil sign matmul mm bmm mv dot outer add add_ sub
        sub_ mul mul_ div div_ eq ne gt lt ge le any all gather scatter scatter_ scatter_add_ index_select
        masked_fill masked_fill_ masked_select where nonzero sort argsort topk unique chunk split unbind repeat
        repeat_interleave tile flip roll tril triu diag diagonal trace inverse det isnan isinf isfinite allclose
        backward grad zero_grad logsumexp histc bincount cross kthvalue mode median unfold fill_diagonal_ erf lerp
        baddbmm addmm logical_and logical_not bitwise_and floor_divide remainder fmod true_divide square reciprocal
        amax amin aminmax std_mean var_mean count_nonzero index_put_ index_fill_ put_ detach_ is_contiguous stride
        storage data_ptr element_size device dtype layout names rename cummax cummin diff nanmean nansum nan_to_num
        softplus gelu silu log1p expm1 logit xlogy atan2 sinh cosh asin acos atan moveaxis movedim swapdims take
        take_along_dim bfloat16 char short byte new_full new_empty normal_ uniform_ random_ bernoulli multinomial
        ravel hardtanh requires_grad shape T H real imag rsub matrix_power pinverse svd qr cholesky eig slogdet
        sum_to_size masked_scatter expand_as copy absolute multiply divide subtract negative greater less equal
        not_equal
    """,
    "tg": """
        tensor as_tensor from_numpy zeros ones empty full eye arange linspace rand randn randint randperm zeros_like
        ones_like rand_like randn_like full_like cat stack vstack hstack split chunk unsqueeze squeeze reshape
        transpose permute flatten matmul mm bmm dot einsum exp log sqrt pow abs sum mean max min argmax argmin
        softmax log_softmax sigmoid relu tanh where clamp sort topk unique no_grad enable_grad set_grad_enabled
        inference_mode manual_seed save load float32 float64 int64 long bool device cuda is_tensor Tensor
        FloatTensor Size nn optim autograd jit compile isnan isinf isfinite allclose equal eq gt norm linalg cdist
        diag triu tril tril_indices meshgrid cumsum gather masked_select nonzero bincount histc sign outer numel
        is_grad_enabled get_default_dtype set_default_dtype use_deterministic_algorithms backends version one_hot
        cross_entropy nll_loss mse_loss l1_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div
        smooth_l1_loss huber_loss dropout linear layer_norm batch_norm normalize pad conv2d max_pool2d embedding
        gelu silu leaky_relu elu selu softplus hardtanh mish cosine_similarity pairwise_distance log_sigmoid
        logsigmoid gumbel_softmax hinge_embedding_loss triplet_margin_loss Function erf tensordot kron logsumexp
        addmm add sub mul div neg reciprocal rsqrt square floor ceil round logical_and bitwise_and float16 bfloat16
        int32 uint8 int8 float int double half dtype set_num_threads from_dlpack func vmap grad jacobian hessian vjp
        jvp DataLoader Dataset utils random vander cross histogram quantile median std var std_mean cumprod prod
        amax amin take take_along_dim index_select masked_fill scatter narrow select swapaxes movedim moveaxis tile
        repeat_interleave roll flip rot90 broadcast_to expand broadcast_tensors atleast_1d column_stack dstack
        tensor_split unbind any all count_nonzero nan_to_num hypot atan2 sin lerp clip maximum minimum fmod
        remainder logaddexp log2 log10 log1p expm1 trace diagonal inverse det cholesky svd qr matrix_power trapz
        diff gradient searchsorted bucketize isclose numpy Parameter Variable Module Linear Sequential Adam SGD
    """,
    "tg.nn": """
        Module Linear Sequential ModuleList ModuleDict Parameter ParameterList ParameterDict ReLU LeakyReLU GELU
        SiLU ELU SELU Sigmoid Tanh Softmax LogSoftmax Softplus Softmin Hardtanh ReLU6 PReLU Mish Dropout Dropout1d
        Dropout2d AlphaDropout LayerNorm BatchNorm1d BatchNorm2d BatchNorm3d GroupNorm InstanceNorm1d RMSNorm Conv1d
        Conv2d Conv3d ConvTranspose2d MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AdaptiveAvgPool1d
        AdaptiveAvgPool2d Embedding EmbeddingBag RNN LSTM GRU RNNCell LSTMCell GRUCell MultiheadAttention
        Transformer TransformerEncoder TransformerEncoderLayer TransformerDecoder Flatten Unflatten Identity
        Bilinear CrossEntropyLoss NLLLoss MSELoss L1Loss BCELoss BCEWithLogitsLoss KLDivLoss SmoothL1Loss HuberLoss
        HingeEmbeddingLoss MarginRankingLoss TripletMarginLoss MultiMarginLoss MultiLabelMarginLoss SoftMarginLoss
        MultiLabelSoftMarginLoss PoissonNLLLoss GaussianNLLLoss CTCLoss CosineEmbeddingLoss CosineSimilarity
        PairwiseDistance Upsample PixelShuffle ZeroPad2d ReflectionPad2d init functional utils parallel DataParallel
        LazyLinear Hardswish Hardsigmoid Softsign Tanhshrink Threshold GLU CELU LogSigmoid Softmax2d Unfold Fold
        ConstantPad1d Dense Input Layer relu Buffer Swish Norm
    """,
    "tg.optim": """
        SGD Adam AdamW RMSprop Adagrad Adadelta Adamax LBFGS NAdam RAdam ASGD Rprop SparseAdam Optimizer Optimiser
        lr_scheduler StepLR MultiStepLR ExponentialLR CosineAnnealingLR CosineAnnealingWarmRestarts LambdaLR
        ReduceLROnPlateau OneCycleLR CyclicLR LinearLR SequentialLR ConstantLR PolynomialLR MultiplicativeLR
        clip_grad_norm_ clip_grad_value_ swa_utils Lion Muon Adafactor Momentum Nesterov schedules Scheduler
    """,
    "tg.optim.schedules": """
        StepLR MultiStepLR ExponentialLR CosineAnnealingLR CosineAnnealingWarmRestarts LambdaLR ReduceLROnPlateau
        OneCycleLR CyclicLR LinearLR SequentialLR ConstantLR PolynomialLR LRScheduler exponential linear constant
        cosine step warmup warm_up
    """,
    "tg.nn.init": """
        xavier_uniform_ xavier_normal_ kaiming_uniform_ kaiming_normal_ normal_ uniform_ constant_ zeros_ ones_
        orthogonal_ eye_ trunc_normal_ calculate_gain xavier_uniform glorot_uniform he_normal
    """,
    "tg.data": """
        DataLoader Dataset TensorDataset IterableDataset Subset ConcatDataset random_split Sampler RandomSampler
        WeightedRandomSampler BatchSampler SequentialSampler default_collate StackDataset train_test_split
        load_mnist MNIST FashionMNIST CIFAR10 load_iris load_digits load_wine read_csv ToTensor Normalize Compose
        transforms KFold shuffle batch
    """,
    "tg.nn.Linear(2, 2)": """
        parameters named_parameters state_dict load_state_dict train eval to cuda cpu float double half zero_grad
        modules children named_modules named_children buffers named_buffers register_buffer register_parameter
        register_module add_module apply requires_grad_ get_parameter get_submodule forward weights fit predict
        compile summary device save register_forward_hook register_backward_hook register_full_backward_hook type
        share_memory extra_repr training in_features out_features weight bias parameters_list eval_mode
        num_parameters named_tensors bfloat16 backward grad register_forward_pre_hook append
    """,
    SGD: """
        zero_grad step state_dict load_state_dict param_groups add_param_group state lr defaults set_lr
        learning_rate zero_gradient params minimize apply_gradients
    """,
    f"tg.optim.schedules.Schedule({SGD}, tg.optim.schedules.cosine(5))": """
        step state_dict load_state_dict get_last_lr get_lr last_epoch base_lrs print_lr
    """,
    "tg.data.batches([1.0, 2.0], batch_size=2)": """
        dataset batch_size shuffle num_workers sampler collate_fn
    """,
}
