"""The words of studios, English and Chinese: data, and nothing else. The first word of each list is the one that captions use."""

from collections.abc import Mapping
from typing import Final

from vision.imagery.brief import Light
from vision.imagery.look import Table, Wall
from vision.imagery.scenes.procedural.studio import Depth, Softness

Words = Mapping[str, tuple[str, ...]]

WALLS: Final[Mapping[Wall, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    Wall.WHITE: (("white", "off-white", "snow white"), ("白色", "纯白", "米白", "白")),
    Wall.GREY: (("grey", "gray", "silver", "light grey", "light gray"), ("灰色", "浅灰", "银色", "灰")),
    Wall.CHARCOAL: (
        ("charcoal", "black", "dark grey", "dark gray", "anthracite"),
        ("深灰色", "黑色", "炭灰", "深灰", "黑"),
    ),
    Wall.BEIGE: (
        ("beige", "cream", "ivory", "sand", "tan", "warm neutral"),
        ("米色", "奶油色", "杏色", "驼色", "奶白"),
    ),
    Wall.RED: (("red", "crimson", "burgundy", "scarlet"), ("红色", "大红", "酒红", "红")),
    Wall.ORANGE: (("orange", "terracotta", "peach", "coral"), ("橙色", "橘色", "陶土色", "橘红")),
    Wall.YELLOW: (("yellow", "mustard", "golden", "lemon"), ("黄色", "金色", "柠檬黄", "黄")),
    Wall.GREEN: (("green", "sage", "olive", "mint", "sage green"), ("绿色", "鼠尾草绿", "薄荷绿", "绿")),
    Wall.TEAL: (("teal", "turquoise", "cyan", "aqua"), ("青色", "蓝绿色", "湖蓝", "松石")),
    Wall.BLUE: (("blue", "navy", "azure", "sky blue", "navy blue"), ("蓝色", "天蓝", "海军蓝", "蓝")),
    Wall.PURPLE: (("purple", "lavender", "violet", "lilac"), ("紫色", "薰衣草", "淡紫", "紫")),
    Wall.PINK: (("pink", "rose", "blush", "pale pink"), ("粉色", "粉红色", "玫瑰色", "粉红")),
}
TABLES: Final[Mapping[Table, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    Table.WOOD: (
        ("wood", "wooden", "oak", "walnut", "timber", "rustic wood"),
        ("木质", "原木", "橡木", "胡桃木", "实木", "木"),
    ),
    Table.MARBLE: (("white marble", "marble", "carrara marble"), ("白色大理石", "大理石", "云石")),
    Table.STONE: (
        ("dark stone", "stone", "slate", "black marble", "black stone", "granite", "concrete"),
        ("深色石材", "石板", "黑色大理石", "岩板", "石材", "花岗岩", "石头"),
    ),
    Table.LINEN: (
        ("linen", "cloth", "fabric", "cotton", "tablecloth", "linen cloth"),
        ("亚麻", "棉麻", "布艺", "桌布", "布"),
    ),
    Table.PLAIN: (
        ("plain", "matte", "seamless", "minimalist", "acrylic"),
        ("纯色", "哑光", "素色", "亚克力"),
    ),
}
LIGHTS: Final[Mapping[Light, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    Light.LEFT: (
        ("light from the left", "lit from the left", "left light", "left side", "left"),
        ("左侧光", "光从左侧来", "左边打光", "左上方", "左侧", "左"),
    ),
    Light.RIGHT: (
        ("light from the right", "lit from the right", "right light", "right side", "right"),
        ("右侧光", "光从右侧来", "右边打光", "右上方", "右侧", "右"),
    ),
    Light.ABOVE: (
        (
            "light from above",
            "lit from above",
            "overhead light",
            "top light",
            "above",
            "overhead",
            "from the top",
        ),
        ("顶光", "光从上方来", "上方打光", "头顶", "上方"),
    ),
}
SOFTNESSES: Final[Mapping[Softness, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    Softness.SOFT: (("soft light", "soft", "diffuse", "gentle", "diffused"), ("柔光", "柔和", "漫射")),
    Softness.HARD: (
        ("hard light", "hard", "dramatic", "window light", "strong", "contrast"),
        ("硬光", "窗光", "强光", "戏剧"),
    ),
}
DEPTHS: Final[Mapping[Depth, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    Depth.BLURRED: (
        ("shallow depth", "shallow", "blurred", "blurry", "bokeh", "out of focus", "depth of field"),
        ("浅景深", "虚化", "模糊"),
    ),
    Depth.SHARP: (("deep focus", "sharp", "crisp", "in focus"), ("全景深", "清晰", "锐利")),
}
WALL_NOUNS: Final = (
    ("wall", "backdrop", "background", "walls", "backgrounds", "studio"),
    ("墙面", "背景", "墙壁", "墙", "影棚"),
)
TABLE_NOUNS: Final = (
    ("table", "tabletop", "surface", "desk", "counter", "countertop", "table top", "top", "slab", "board"),
    ("桌面", "台面", "桌子", "桌"),
)
HORIZON: Final = ("horizon", "地平线")
# Words of photographs that say nothing of a studio's looks.
IDLE: Final = (
    "a an the on in of at with and from to for against by is over under near its very some light lit lighting sunlight sun lamp",
    "daylight natural warm cool scene photo photograph picture shot product stands standing color colour coloured colored clean",
    "elegant modern luxury premium professional tone tones side front behind edge finish textured texture style look mood",
    "commercial ecommerce empty space place placed",
    "的 在 上 和 与 从 光线 光 打光 照射 照明 自然光 阳光 一张 一个 放在 产品 商品 场景 摄影 拍摄 高级 简约 风格 质感 边 面 来 色调 氛围 侧 干净 影",
)
