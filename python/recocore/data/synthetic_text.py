"""The words of the synthetic shop."""

from typing import Final

# Category → what it sells, the same number of nouns for each.
CATEGORIES: Final = {
    "Running": ("Road Shoe", "Trail Shoe", "Jacket", "Tights", "Cap"),
    "Cycling": ("Helmet", "Jersey", "Pump", "Saddle", "Light"),
    "Camping": ("Tent", "Sleeping Bag", "Stove", "Lantern", "Mat"),
    "Fitness": ("Kettlebell", "Yoga Mat", "Resistance Band", "Bench", "Roller"),
    "Coffee": ("Espresso Machine", "Grinder", "Kettle", "Beans", "Dripper"),
    "Cookware": ("Frying Pan", "Saucepan", "Wok", "Casserole", "Lid"),
    "Bakery": ("Loaf Tin", "Proofing Basket", "Scale", "Rolling Pin", "Whisk"),
    "Tea": ("Green Tea", "Oolong", "Teapot", "Infuser", "Gift Box"),
    "Phones": ("Phone", "Case", "Charger", "Screen Protector", "Stand"),
    "Laptops": ("Laptop", "Sleeve", "Dock", "Mouse", "Keyboard"),
    "Audio": ("Headphones", "Earbuds", "Speaker", "Turntable", "Microphone"),
    "Cameras": ("Camera", "Lens", "Tripod", "Strap", "Memory Card"),
    "Gaming": ("Controller", "Headset", "Console", "Chair", "Mouse Pad"),
    "Skincare": ("Cleanser", "Serum", "Moisturiser", "Sunscreen", "Mask"),
    "Make-up": ("Lipstick", "Mascara", "Foundation", "Palette", "Brush"),
    "Fragrance": ("Eau de Parfum", "Candle", "Diffuser", "Body Mist", "Soap"),
    "Toys": ("Building Set", "Puzzle", "Doll", "Train", "Board Game"),
    "Baby": ("Stroller", "Carrier", "Bottle", "Blanket", "Monitor"),
    "Pets": ("Dog Bed", "Cat Tree", "Leash", "Feeder", "Chew Toy"),
    "Garden": ("Shears", "Planter", "Hose", "Glove", "Seed Mix"),
    "Lighting": ("Desk Lamp", "Floor Lamp", "Pendant", "Bulb", "Night Light"),
    "Furniture": ("Armchair", "Bookcase", "Side Table", "Stool", "Desk"),
    "Menswear": ("Shirt", "Chinos", "Sweater", "Belt", "Coat"),
    "Womenswear": ("Dress", "Blouse", "Skirt", "Cardigan", "Scarf"),
}

BRAND_STEMS: Final = tuple(
    start + end
    for start in ("Al", "Bren", "Cor", "Del", "Esk", "Fen", "Gal", "Hol", "Ist", "Jor", "Kel", "Lum")
    for end in ("dora", "mark", "nova", "vik", "ette", "ora", "wyn", "sen")
)

ADJECTIVES: Final = ("Classic", "Light", "Pro", "Compact", "Everyday", "Premium", "Eco", "Urban", "Mini", "Signature")

CHANNELS: Final = ("app", "web", "mini_program")

REGIONS: Final = ("north", "east", "south", "west", "centre")

COUPONS: Final = ("WELCOME", "SPRING", "WEEKEND", "BIRTHDAY", "FREESHIP", "LOYAL")
