"""The Chinese names of ImageNet's classes, and the English ones where they come in pairs."""

import re
from collections import Counter
from pathlib import Path

import pytest

from models import labels

FOLDER = Path(labels.__file__).parent
HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")

# Names that are written with Latin letters in China, too.
LATIN = {"iPod", "T恤", "CD播放机", "福特T型车"}

# GB2312 holds the simplified characters in daily use; these animals' names need another one.
RARE = {"丁鱥", "灯草鹀", "靛蓝彩鹀", "乌林鸮", "鹟䴕", "麻鳽", "日本狆犬", "獴", "狐獴"}

# Dogs whose everyday name is not "something 犬".
DOGS = {"吉娃娃", "藏獒", "西伯利亚哈士奇", "斑点狗"}


def rows(language: str) -> list[tuple[str, str]]:
    """The lines of a file as they are, with nothing stripped or mended."""
    text = (FOLDER / f"imagenet1k.{language}.tsv").read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [tuple(line.split("\t")) for line in text.removesuffix("\n").split("\n")]


@pytest.fixture(scope="module")
def english():
    return dict(rows("en"))


@pytest.fixture(scope="module")
def chinese():
    return dict(rows("zh"))


def encodes_in_gb2312(name: str) -> bool:
    try:
        name.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def test_the_two_languages_name_the_same_classes_in_the_same_order():
    """A line lost or moved would shift every name after it: wrong answers that look right."""
    assert len(rows("zh")) == 1000
    assert [row[0] for row in rows("zh")] == [row[0] for row in rows("en")]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_two_classes_have_the_same_name(language):
    """Programs sort photos into folders by them; merging the two cranes is a known mistake."""
    counts = Counter(label.lower() for _, label in rows(language))

    assert [label for label, times in counts.items() if times > 1] == []


def test_names_are_chinese_characters_and_nothing_else(chinese):
    """No spaces, brackets or punctuation, and no word left in English."""
    assert {name for name in chinese.values() if not HAN.fullmatch(name)} == LATIN


def test_names_are_written_in_simplified_characters(chinese):
    """A traditional character, or one of a font's look-alikes, would stand out here."""
    written = set(chinese.values()) - LATIN

    assert {name for name in written if not encodes_in_gb2312(name)} == RARE


def test_names_are_short_enough_to_be_drawn(chinese):
    """Beside a bar, on a phone, on a photo."""
    assert [name for name in chinese.values() if len(name) > 10] == []


def test_breeds_of_dogs_are_told_from_other_things_by_their_last_character(chinese):
    """拳师 is a boxer in the ring, 纽芬兰 an island and 卡迪根 a jacket; 拳师犬, … are dogs."""
    breeds = list(chinese.values())[151:269]

    assert {name for name in breeds if not name.endswith("犬")} == DOGS


# One line a group of classes that are easily given each other's name, or one name for all.
TOLD_APART = [
    {"n02012849": "鹤", "n03126707": "起重机"},  # crane
    {"n03710637": "紧身连体衣", "n03710721": "连体泳衣"},  # maillot
    {"n03773504": "导弹", "n04008634": "炮弹"},  # missile, projectile
    {"n12144580": "玉米", "n13133613": "玉米穗"},  # corn, ear
    {"n02504013": "亚洲象", "n02504458": "非洲象", "n01871265": "长牙象"},
    {
        "n02441942": "黄鼠狼",
        "n02442845": "水貂",
        "n02443114": "林鼬",
        "n02443484": "黑足鼬",
        "n02445715": "臭鼬",
    },
    {"n02113186": "卡迪根柯基犬", "n02963159": "开衫"},  # Cardigan_corgi, cardigan
    {"n02123045": "虎斑猫", "n02123159": "虎纹猫", "n02127052": "猞猁"},
    {"n02128385": "花豹", "n02128925": "美洲豹", "n02130308": "猎豹", "n02128757": "雪豹"},
    {"n02137549": "獴", "n02138441": "狐獴"},  # both are called 猫鼬
    {"n02509815": "小熊猫", "n02510455": "大熊猫"},
    {"n02346627": "豪猪", "n01872401": "针鼹"},  # neither is a hedgehog
    {"n01774750": "捕鸟蛛", "n01775062": "狼蛛"},  # tarantula, wolf spider
    {"n01829413": "犀鸟", "n01843383": "巨嘴鸟"},
    {"n01950731": "海蛞蝓", "n02321529": "海参", "n02074367": "儒艮"},
    {"n01983481": "波士顿龙虾", "n01984695": "刺龙虾", "n01985128": "小龙虾"},
    {"n02395406": "家猪", "n02396427": "野猪", "n02397096": "疣猪"},
    {"n02403003": "牛", "n02408429": "水牛", "n02410509": "野牛"},
    {"n02708093": "指针时钟", "n03196217": "电子钟", "n03197337": "电子表", "n04548280": "挂钟"},
    {"n02804414": "婴儿睡篮", "n03125729": "摇篮", "n03131574": "婴儿床"},
    {"n02807133": "泳帽", "n04209133": "浴帽"},
    {"n02895154": "胸甲", "n03146219": "半身铠甲", "n03000247": "锁子甲"},
    {"n02978881": "磁带", "n02979186": "卡带播放机", "n04392985": "磁带播放机"},
    {"n03160309": "水坝", "n02894605": "防波堤", "n03216828": "码头", "n03933933": "栈桥"},
    {"n03642806": "手提电脑", "n03832673": "笔记本电脑", "n03485407": "掌上电脑"},
    {"n03782006": "显示器", "n04152593": "屏幕", "n04404412": "电视机"},
    {"n03785016": "轻便摩托车", "n03791053": "踏板摩托车"},
    {"n03950228": "水罐", "n04560804": "水壶", "n04557648": "水瓶", "n02909870": "水桶"},
    {"n04026417": "手包", "n04548362": "钱包"},
    {"n04335435": "有轨电车", "n04487081": "无轨电车"},
    {"n04482393": "三轮车", "n04509417": "独轮车", "n02797295": "手推车"},
    {"n04461696": "清障拖车", "n04467665": "半挂卡车"},
    {"n02892767": "胸罩", "n02837789": "比基尼"},
    {"n02883205": "领结", "n04591157": "领带", "n02865351": "波洛领带"},
    {"n04355933": "墨镜", "n04356056": "太阳镜"},  # sunglass, sunglasses: the photos are the same
    {"n07716358": "西葫芦", "n07718472": "黄瓜", "n07716906": "金丝瓜"},
    {"n07734744": "蘑菇", "n12998815": "伞菌"},  # mushroom, agaric
]


@pytest.mark.parametrize("group", TOLD_APART, ids=lambda group: " ".join(group.values()))
def test_neighbours_are_told_apart(chinese, group):
    """Each of these was taken for its neighbour in some translation."""
    assert {one: chinese[one] for one in group} == group


# Words of several meanings, and the one that is photographed.
MEANT = {
    "n01608432": "鸢",  # kite: not the toy
    "n01580077": "松鸦",  # jay
    "n01847000": "公鸭",  # drake: not a dragon
    "n02108089": "拳师犬",  # boxer: not the sportsman
    "n02110958": "巴哥犬",  # pug
    "n02105641": "英国古代牧羊犬",
    "n02114712": "红狼",
    "n02134418": "懒熊",  # sloth bear: not a sloth
    "n02276258": "红蛱蝶",  # admiral: not the officer
    "n02389026": "栗色马",  # sorrel: not the herb
    "n02704792": "水陆两用车",  # amphibian: not the animal
    "n02782093": "热气球",  # balloon: not the toy
    "n02797295": "手推车",  # barrow
    "n02804610": "巴松管",  # bassoon: not a baboon
    "n02814860": "灯塔",  # beacon
    "n02814533": "旅行车",  # beach wagon: not a dune buggy
    "n02869837": "系带软帽",  # bonnet: not of a car
    "n02879718": "弓",  # bow: not of a ship, not a ribbon
    "n02892201": "纪念铜牌",  # brass: not the metal
    "n02910353": "皮带扣",  # buckle
    "n02917067": "高铁列车",  # bullet train
    "n02930766": "出租车",  # cab
    "n03014705": "木箱",  # chest: not of a body
    "n03041632": "菜刀",  # cleaver
    "n03110669": "小号",  # cornet: not for ice cream
    "n03240683": "钻井平台",
    "n03250847": "鼓槌",  # drumstick: not of a chicken
    "n03337140": "文件柜",  # file
    "n03494278": "口琴",
    "n03498962": "短柄斧",
    "n03530642": "蜂巢",
    "n03590841": "南瓜灯",
    "n03692522": "放大镜",  # loupe
    "n03724870": "面具",  # mask: not of cream
    "n03775546": "搅拌碗",
    "n03786901": "研钵",  # mortar: not the gun, not of bricks
    "n03787032": "学士帽",  # mortarboard
    "n03793489": "鼠标",  # mouse: not the animal
    "n03803284": "狗嘴套",  # muzzle
    "n03804744": "钉子",  # nail: not of a finger
    "n03825788": "奶嘴",  # nipple
    "n03854065": "管风琴",  # organ
    "n03929660": "拨片",  # pick
    "n03954731": "木工刨",  # plane: not the aircraft
    "n03967562": "犁",
    "n04039381": "球拍",
    "n04118776": "尺子",  # rule
    "n04141975": "秤",  # scale
    "n04243546": "老虎机",  # slot
    "n04311174": "钢鼓",  # steel drum: not a barrel
    "n04325704": "披肩",  # stole
    "n04346328": "佛塔",  # stupa
    "n04367480": "拖把",  # swab
    "n04372370": "开关",  # switch
    "n04429376": "王座",  # throne
    "n04505470": "打字机键盘",
    "n04515003": "立式钢琴",  # upright
    "n04523525": "拱顶",  # vault: not of a bank
    "n04532106": "祭衣",  # vestment
    "n04579432": "哨子",  # whistle
    "n04592741": "机翼",  # wing: not of a bird
    "n06359193": "网站",
    "n06596364": "漫画书",
    "n06794110": "路牌",
    "n07565083": "菜单",  # menu
    "n07579787": "一盘菜",  # plate: what is on it
    "n07584110": "清汤",  # consomme
    "n09229709": "泡泡",
    "n09246464": "悬崖",
    "n09288635": "间歇泉",
    "n10148035": "新郎",  # groom: not of a horse
    "n10565667": "潜水员",
    "n12620546": "玫瑰果",  # hip: not of a body
    "n13037406": "鹿花菌",
    "n15075141": "卫生纸",
}


@pytest.mark.parametrize(("class_id", "name"), MEANT.items(), ids=MEANT.values())
def test_a_word_of_many_meanings_is_named_by_the_one_that_is_meant(chinese, class_id, name):
    """A dictionary's first translation is often of something else."""
    assert chinese[class_id] == name


# Where ImageNet's photos show something else than WordNet's gloss says, the photos are named.
PHOTOGRAPHED = {
    "n01560419": "鹎",  # the gloss means the nightingale of Persian poems
    "n02834397": "围嘴",  # … of an apron; the photos: of babies
    "n03017168": "风铃",  # … of an orchestra; the photos: in the wind
    "n03933933": "栈桥",  # … of a bridge; the photos: in the sea, too
    "n03944341": "玩具风车",  # … a wheel with pins
    "n04355933": "墨镜",  # … a lens for making fire
    "n04591157": "领带",  # … tied in a loose bow; the photos: any tie
    "n04612504": "双桅小帆船",  # … rowed
    "n07590611": "火锅",  # … from Lancashire; the photos: Asian
    "n07930864": "杯子",  # … the punch in it
    "n11879895": "油菜花",  # … its seed; the photos: yellow fields
}


@pytest.mark.parametrize(("class_id", "name"), PHOTOGRAPHED.items(), ids=PHOTOGRAPHED.values())
def test_a_name_fits_what_the_network_was_shown(chinese, class_id, name):
    """It will say so of photos like those."""
    assert chinese[class_id] == name


def test_english_names_that_keras_gives_twice_say_which_is_meant(english):
    """In the spelling of the others."""
    assert english["n02012849"] == "crane_bird"
    assert english["n02113186"] == "Cardigan_corgi"
    assert english["n03126707"] == "crane_machine"
    assert english["n03710637"] == "maillot_leotard"
    assert english["n03710721"] == "maillot_swimsuit"
