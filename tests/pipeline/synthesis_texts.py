"""Small documents of our own in both languages, about which every capability can be asked, and what asks of them."""

import item_library
import scripted_answers

from golongrl.core.documents import DocumentBuilder
from golongrl.core.tasks import CAPABILITIES
from golongrl.pipeline.dataset.assign import assign
from golongrl.pipeline.dataset.settings import BuildConfig

TEXTS = {
    "The Harbour Museum": {
        "Origins": [
            "Fishermen of the northern quay collected broken anchors for 31 years before 12 families founded it.",
            "Their earliest inventory described lanterns, nets and a barometer rescued from the schooner Meridian.",
            "Generous merchants afterwards donated portraits, ledgers and a complete carpenter workshop.",
            "A violent tempest flooded the cellar in autumn, yet volunteers carried every ledger upstairs overnight.",
        ],
        "Collections": [
            "Visitors nowadays admire 240 carved figureheads and 65 painted sea chests arranged along two galleries.",
            "Specialists regularly examine the fragile charts, because moisture dissolves their pigment.",
            "Children particularly enjoy turning the capstan that once hauled timber barges against the current.",
            "Scholars borrow sealed letters from the archive only after a written recommendation by the curator.",
        ],
        "Plans": [
            "Architects proposed a transparent pavilion above the slipway, although engineers doubted it.",
            "The council therefore granted 90 thousand crowns for repairs and 45 thousand crowns for the new roof.",
            "Neighbours nevertheless demanded quieter machinery, shorter evenings and a footbridge.",
            "Construction presumably begins when swallows depart, since builders promised undisturbed nesting.",
        ],
    },
    "Keeping Bees on Roofs": {
        "Equipment": [
            "Beginners usually purchase 2 wooden hives and 20 wax frames from a workshop outside the municipality.",
            "Experienced keepers recommend sturdy gloves, a veil without holes and a smoker fed with dry lavender.",
            "Every hive rests upon concrete slabs because gusts above chimneys overturn lighter furniture easily.",
            "Ladders should be fastened to railings, otherwise harvesting honey becomes dangerous after rainfall.",
        ],
        "Seasons": [
            "Colonies awaken gradually in March when willows flower beside the abandoned railway embankment.",
            "Throughout summer a strong colony gathers 18 kilograms of honey, while weaker ones store 7 kilograms.",
            "Autumn inspections reveal mites, mouldy combs and queens whose wings have become unusually ragged.",
            "During winter nobody opens the hives, for escaping warmth would endanger the clustered workers.",
        ],
        "Neighbours": [
            "Residents occasionally complain about droppings on laundry, cars and freshly painted balconies.",
            "Patient explanations, together with 3 jars of honey and 1 candle, normally dissolve such resentment.",
            "Schools eagerly arrange excursions, provided that teachers announce allergies several weeks before.",
            "Municipal inspectors finally measure the distance between entrances, playgrounds and hospital windows.",
        ],
    },
    "青溪灯塔志": {
        "缘起": [
            "渔民老周在暴雨之夜点燃柴堆，指引归航的木船，救回邻村二十余人，乡里传为美谈。",
            "次年春天县衙拨出白银320两和石料45车，交给三位工匠筹建一座石砌灯塔。",
            "工匠沿着峭壁开凿阶梯，用糯米灰浆黏合巨石，历经两个寒暑才终于完工。",
            "首任守塔人姓蒋，每晚擦拭铜镜，添加鲸油，记录风向与潮水高低。",
        ],
        "沿革": [
            "后来商船改烧煤炭，航线逐渐外移，塔灯一度熄灭，台阶长满青苔和野蕨。",
            "侨商陈氏捐赠玻璃透镜，重新点亮旧塔，还修筑了通往渡口的平坦石路。",
            "战乱期间守军拆走铜门，村民悄悄把透镜埋进竹林，直到和平之后才取出。",
            "档案记载维修共耗费木板76块、铁钉1500枚，全部由沿岸渔会分摊。",
        ],
        "今貌": [
            "如今塔身刷成朱红颜色，顶层改用太阳能电池，入夜自动闪烁三次。",
            "游客登上螺旋楼梯，可以远眺盐田、红树林和对岸起伏的丘陵。",
            "博物馆陈列航海日志、罗盘以及褪色旗帜，讲解员多是退休船长。",
            "每逢中秋孩子们提着贝壳灯笼环绕塔基奔跑，歌声一直飘到海面。",
        ],
    },
    "山城茶馆漫谈": {
        "铺面": [
            "临街铺面摆放竹椅60把和木桌15张，清晨四点便有挑夫进门歇脚。",
            "掌柜亲自挑选泉水，用陶缸沉淀三日，再以松柴慢火煮至鱼眼泡。",
            "跑堂伙计肩搭毛巾，手提长嘴铜壶，隔着三尺远也能滴水不漏。",
            "墙上悬挂褪色账牌，写着各色茶名、点心价钱以及赊账人的绰号。",
        ],
        "听书": [
            "午后说书先生拍响醒木，讲述侠客夜渡寒江，满堂宾客屏息静听。",
            "铜钱投入瓷碗叮当作响，常客赏钱25文，生客往往只给8文。",
            "雨天听众格外拥挤，连灶台旁边都坐满躲雨的轿夫、货郎和学徒。",
            "若是先生卖起关子，伙计便趁机添水，推销刚刚出锅的芝麻薄饼。",
        ],
        "变迁": [
            "铁路修通以后客流转向车站，老主顾纷纷搬迁，茶馆生意日渐冷清。",
            "年轻店主添置留声机，改卖咖啡汽水，却始终保留祖传的紫砂茶壶。",
            "修缮队伍发现梁柱刻有道光年号，专家遂建议列入保护名录。",
            "夜里灯笼重新亮起，远方归来的游子循着茉莉香气找到旧时座位。",
        ],
    },
}
"""Title -> heading -> sentences."""
TABLES = {
    "The Harbour Museum": (
        ["Room", "Objects", "Visitors"],
        [["Quay", "41", "520"], ["Loft", "67", "310"], ["Hold", "29", "480"]],
    ),
    "Keeping Bees on Roofs": (
        ["Roof", "Hives", "Jars"],
        [["Depot", "4", "38"], ["School", "6", "57"], ["Theatre", "3", "22"]],
    ),
    "青溪灯塔志": (["年份", "船只", "航次"], [["甲子", "52", "611"], ["乙丑", "47", "598"], ["丙寅", "63", "702"]]),
    "山城茶馆漫谈": (["茶名", "价钱", "销量"], [["云雾", "12", "350"], ["毛尖", "18", "275"], ["茉莉", "9", "430"]]),
}


def documents():
    """The documents, each with its headings, its sentences in paragraphs of two, and its table."""
    found = []
    for title, sections in TEXTS.items():
        builder = DocumentBuilder()
        builder.heading(title, 1)
        for heading, sentences in sections.items():
            builder.heading(heading, 2)
            gap = "" if sentences[0].endswith("。") else " "
            builder.paragraph(gap.join(sentences[:2]))
            builder.paragraph(gap.join(sentences[2:]))
        builder.table(*TABLES[title])
        found.append(builder.build(source=f"{title}.md", title=title))
    return found


ALL = tuple(CAPABILITIES)


def config(**more):
    model = {"base_url": "http://127.0.0.1:1/v1", "model": "teacher"}
    settings = {
        "sources": ("docs",),
        "generator": "llm",
        "models": {"generator": model},
        "length_bins": (1024, 4096),
        "synthesis": {"oversample": 1.0},
    }
    return BuildConfig.model_validate({**settings, **more})


def shop(folder, shown=None, held_out=(), **more):
    """(library, config, assignment) of some documents."""
    library, _ = item_library.library(folder, shown or documents(), held_out)
    settings = config(**more)
    return library, settings, assign(library.entries, settings.wanted)


def cells(count, labels=("1k", "4k"), capabilities=ALL, held_out=False):
    return {(held_out, capability, label): count for capability in capabilities for label in labels}


def scripted(call):
    return scripted_answers.answer(call.messages, call.schema, "teacher", call.seed)
